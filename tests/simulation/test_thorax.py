"""Simulated chests and heads: of one truth, by number and seed alone, and each finding is where the truth says."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.simulation.thorax_brain import KEYS, REGIONS, SIDE, Region, simulate
from diffuscope.simulation.thorax_brain.findings import SHARES, draw_findings
from diffuscope.simulation.thorax_brain.lesions import DIAMETERS, middle
from diffuscope.simulation.thorax_brain.phantom import draw_phantom
from diffuscope.simulation.thorax_brain.shapes import AXES, PIXEL, Ellipsoid, measure


@pytest.mark.parametrize("region", REGIONS)
def test_a_subject_is_made_by_its_number_and_seed_alone(region: Region):
    first, again = (simulate(3, seed=5, region=region) for _ in range(2))
    assert tuple(first.images) == KEYS
    assert first.report == again.report and first.findings == again.findings
    for key, image in first.images.items():
        np.testing.assert_array_equal(image, again.images[key])
        assert image.dtype == np.float32 and image.shape == (SIDE, SIDE)
        low, high = (-1000, 1000) if key == "ct" else (0, 1)
        assert low <= image.min() < image.max() <= high
        others = simulate(4, seed=5, region=region), simulate(3, seed=6, region=region)
        assert all(np.any(image != other.images[key]) for other in others)


@pytest.mark.parametrize("region", REGIONS)
def test_findings_lie_apart_in_their_organ_on_their_side_and_in_their_zone(region: Region):
    for number in range(60):
        phantom = draw_phantom(number, seed=1, region=region)
        assert len(phantom.lesions) == len(phantom.findings.items)
        x, y = np.meshgrid(AXES[2], AXES[1])
        for lesion in phantom.lesions:
            low, high = DIAMETERS[lesion.finding.size]
            assert low <= lesion.diameter <= high
            inside = np.hypot(x - lesion.x, y - lesion.y) < lesion.diameter / 2
            assert phantom.organ[inside].all()
            assert (lesion.x > middle(phantom.organ)) == (lesion.finding.side == "left")
            half = phantom.organ & ((x > middle(phantom.organ)) == (lesion.finding.side == "left"))
            rows = np.flatnonzero((half if region == "chest" else phantom.organ).any(axis=1))
            height = (lesion.y - AXES[1][rows[0]]) / (AXES[1][rows[-1]] - AXES[1][rows[0]])
            assert int(3 * height) == ("upper", "middle", "lower").index(lesion.finding.zone)
            for other in phantom.lesions:
                gap = np.hypot(lesion.x - other.x, lesion.y - other.y) - (lesion.diameter + other.diameter) / 2
                assert other is lesion or gap > PIXEL


def test_findings_show_in_ct_by_their_kind():
    """Each pixel in the middle of a finding, against the HU that its tissue has in that body."""
    seen = set()
    for region in REGIONS:
        for number in range(30):
            phantom = draw_phantom(number, seed=2, region=region)
            for lesion in phantom.lesions:
                tissue = {"solid": "solid", "calcified": "calcified", "cystic": "air" if region == "chest" else "cyst"}
                if lesion.finding.size == "small" and lesion.finding.kind == "cystic":
                    continue  # its wall reaches into every pixel of the middle
                row, column = (int(np.argmin(abs(AXES[axis] - at))) for axis, at in ((1, lesion.y), (2, lesion.x)))
                expected = phantom.tissues[tissue[lesion.finding.kind]].hu
                assert phantom.hu[phantom.plane, row, column] == pytest.approx(expected, abs=1)
                seen.add((region, lesion.finding.kind))
    assert len(seen) == 6


@pytest.mark.parametrize("region", REGIONS)
def test_parts_of_the_shown_plane_are_its_hu(region: Region):
    phantom = draw_phantom(0, seed=0, region=region)
    np.testing.assert_allclose(phantom.parts.sum(axis=0), 1, atol=1e-5)
    levels = np.array([tissue.hu for tissue in phantom.tissues.values()])
    mixed = np.tensordot(levels, phantom.parts, axes=1)
    np.testing.assert_allclose(mixed, phantom.hu[phantom.plane], atol=0.05)


def test_the_distance_to_a_ball_is_that_of_a_ball():
    window, distance = measure(Ellipsoid("solid", (3, -5, 2), (20, 20, 20)))
    z, y, x = np.meshgrid(*(axis[part] for axis, part in zip(AXES, window, strict=True)), indexing="ij")
    np.testing.assert_allclose(distance, np.sqrt((x - 3) ** 2 + (y + 5) ** 2 + (z - 2) ** 2) - 20, atol=1e-3)


def test_a_turned_ellipsoid_lies_where_its_equation_says():
    shape = Ellipsoid("solid", (4, 8, 0), (40, 12, 30), turn=0.6)
    window, distance = measure(shape)
    z, y, x = np.meshgrid(*(axis[part] for axis, part in zip(AXES, window, strict=True)), indexing="ij")
    axes = np.array([[np.cos(0.6), np.sin(0.6)], [-np.sin(0.6), np.cos(0.6)]])
    along, across = np.einsum("ij,j...->i...", axes, np.stack([x - 4, y - 8]))
    np.testing.assert_array_equal(distance < 0, (along / 40) ** 2 + (across / 12) ** 2 + (z / 30) ** 2 < 1)


def test_findings_are_as_many_as_their_shares_say():
    rng = np.random.default_rng(0)
    counts = np.bincount([len(draw_findings("chest", rng).items) for _ in range(4000)], minlength=4) / 4000
    np.testing.assert_allclose(counts, SHARES, atol=0.03)


def test_what_cannot_be_simulated_is_said():
    with pytest.raises(InputError, match="no region 'knee'"):
        simulate(0, seed=0, region="knee")
    with pytest.raises(InputError, match="not negative"):
        simulate(0, seed=-1, region="head")
