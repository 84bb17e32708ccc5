"""Stain vectors of drawn slides, whose vectors are known, and of those that ship."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region
from diffuscope.stains import REFERENCE, estimate_stains
from diffuscope.stains.vectors import APART
from tests.stains.drawn import angle, apart, densities, draw


def test_vectors_that_lie_far_enough_apart_are_found_again():
    drawn = apart(40.0)
    found = estimate_stains(draw(densities(), drawn))
    # 8 bits hold the direction of a density of 0.3 to about half a degree.
    assert angle(found[0], drawn[0]) < 1.0 and angle(found[1], drawn[1]) < 1.0
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)


@pytest.mark.parametrize("degrees", [12.0, 18.0, 22.0])
def test_vectors_that_lie_too_close_come_out_apart_on_their_own_plane(degrees: float):
    drawn = apart(degrees)
    found = estimate_stains(draw(densities(), drawn))
    assert angle(found[0], found[1]) == pytest.approx(APART, abs=1e-6)
    # drawn[2] is the normal of the plane; the rest is rounding to 8 bits.
    assert np.abs(found[:2] @ drawn[2]).max() < 0.02
    assert found[0][0] > found[1][0]
    # Turned outwards, and neither by more than what is missing.
    moved = [angle(found[stain], drawn[stain]) for stain in (0, 1)]
    assert max(moved) < APART - degrees + 1.0


def test_neither_black_borders_nor_glass_count():
    picture = draw(densities(), apart(40.0))
    framed = np.pad(picture, ((30, 40), (0, 0), (0, 0)))
    glass = np.full((20, 256, 3), 243, np.uint8)
    np.testing.assert_array_equal(estimate_stains(np.concatenate([framed, glass])), estimate_stains(picture))


def test_a_picture_of_one_stain_has_the_vectors_of_the_reference():
    eosin = np.zeros((32, 32, 3))
    eosin[..., 1] = 0.4
    np.testing.assert_array_equal(estimate_stains(draw(eosin, apart(40.0))), REFERENCE)


def test_glass_has_no_stain_vectors():
    with pytest.raises(ValueError, match="no pixel is stained"):
        estimate_stains(np.full((16, 16, 3), 250, np.uint8))


SAMPLES = sample_path()
TILES = sorted(str(path.relative_to(SAMPLES)) for path in [*SAMPLES.glob("he-tiles/*.png"), *SAMPLES.glob("he-*.jpg")])
SHIPPED = ("CMU-1-Small-Region.svs", "OS-1-detail.ome.tif", "TCGA-CR-7395.svs", *TILES)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_slide_has_vectors_that_nearly_coincide(name: str):
    scan = open_scan(SAMPLES / name)
    factor = 4.0
    height, width = (int(side / factor) for side in scan.shape)
    found = estimate_stains(read_region(scan, y=0, x=0, height=height, width=width, factor=factor))
    assert angle(found[0], found[1]) >= APART - 0.1
    assert (found[:2] >= 0).all()
    # Both lie where light that haematoxylin or eosin passes can lie: not red less than green less than blue.
    assert angle(found[0], REFERENCE[0]) < 25 and angle(found[1], REFERENCE[1]) < 25
