"""H&E brought to one reference: drawn slides, whose densities are known, whatever they are drawn in."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from diffuscope.stains import REFERENCE, StainStatistics, measure_stains, normalise
from diffuscope.stains.deconvolution import combine, separate
from diffuscope.stains.normalisation import NUCLEUS, TISSUE
from tests.stains.drawn import apart, densities, draw

MPP = 0.5
OWN = StainStatistics(haematoxylin=tuple(REFERENCE[0]), eosin=tuple(REFERENCE[1]), nucleus=NUCLEUS, tissue=TISSUE)


def measured(picture: np.ndarray) -> StainStatistics:
    found = measure_stains([picture], mpp=MPP)
    assert found is not None
    return found


def normalised(picture: np.ndarray) -> np.ndarray:
    return normalise(picture, measured(picture)).astype(int)


def test_the_reference_is_left_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(normalise(picture, OWN), picture)


def test_white_stays_white():
    for statistics in (OWN, measured(draw(densities(), apart(30.0)))):
        assert (normalise(np.full((4, 4, 3), 255, np.uint8), statistics) == 255).all()


def test_a_drawn_slide_is_measured_as_it_was_drawn():
    found = measured(draw(densities(), apart(40.0), haematoxylin=0.8, eosin=1.2))
    drawn = densities() * [0.8, 1.2, 1.0]
    assert found.nucleus == pytest.approx(np.median(drawn[..., 0][drawn[..., 0] > 0]), rel=0.05)
    assert found.tissue == pytest.approx(np.median(drawn[..., 1]), rel=0.05)


def test_the_strengths_of_a_normalised_slide_are_those_of_the_reference():
    drawn = densities()
    amounts = separate(normalised(draw(drawn, apart(35.0), 1.3, 0.7)), REFERENCE)
    assert np.median(amounts[..., 0][drawn[..., 0] > 0]) == pytest.approx(NUCLEUS, rel=0.05)
    assert np.median(amounts[..., 1]) == pytest.approx(TISSUE, rel=0.05)


@pytest.mark.parametrize("strength", [0.8, 1.25])
def test_how_thick_a_section_is_makes_no_difference(strength: float):
    there = normalised(draw(densities(), apart(40.0)))
    np.testing.assert_allclose(normalised(draw(densities(), apart(40.0), strength, strength)), there, atol=4)


def test_two_laboratories_slides_of_one_section_become_one_picture():
    one, other = draw(densities(), apart(30.0), 0.75, 1.2), draw(densities(), apart(40.0), 1.2, 0.9)
    before = np.abs(one.astype(int) - other).mean()
    after = np.abs(normalised(one) - normalised(other))
    assert after.mean() < before / 15
    assert after.max() <= 4


def test_what_is_neither_stain_keeps_its_strength():
    statistics = replace(OWN, nucleus=0.8, tissue=0.2)
    drawn = np.array([[[0.4, 0.1, 0.1], [0.3, 0.2, -0.05]]])
    found = separate(normalise(combine(drawn, statistics.vectors), statistics), REFERENCE)
    np.testing.assert_allclose(found, drawn * [NUCLEUS / 0.8, TISSUE / 0.2, 1.0], atol=0.01)


def test_no_factor_is_beyond_what_is_a_pale_or_a_dark_stain():
    faint = replace(OWN, nucleus=NUCLEUS / 10, tissue=0.0)
    assert faint.summary == "haematoxylin 0.05 → 0.12, eosin 0.00 → 0.00"
    assert replace(OWN, nucleus=0.625, tissue=0.5).summary == "haematoxylin 0.62 → 0.50, eosin 0.50 → 0.35"


def test_black_borders_and_glass_do_not_count():
    picture = draw(densities(), apart(40.0))
    black, glass = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 245, np.uint8)
    assert measure_stains([picture, black, glass], mpp=MPP) == measured(picture)


def test_what_shows_no_nucleus_is_not_measured():
    eosin = np.zeros((64, 64, 3))
    eosin[..., 1] = 0.4
    for picture in (draw(eosin, REFERENCE), np.full((64, 64, 3), 250, np.uint8), np.zeros((64, 64, 3), np.uint8)):
        assert measure_stains([picture], mpp=MPP) is None
    assert measure_stains([], mpp=MPP) is None


def test_what_a_record_holds_is_read_again():
    found = measured(draw(densities(), apart(40.0)))
    assert StainStatistics.from_json(json.loads(json.dumps(found.to_json()))) == found
