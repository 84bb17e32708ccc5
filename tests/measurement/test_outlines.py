"""Outlines filled again by scikit-image give the px that they were drawn of, and shapely finds nothing wrong."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.draw import polygon2mask

from diffuscope.measurement.outlines import find_runs, outline


def filled(shape: tuple[int, int], outlined: shapely.Geometry) -> np.ndarray:
    """Fill by even and odd, at the middle of px."""
    mask = np.zeros(shape, bool)
    for part in shapely.get_parts(outlined):
        for ring in (part.exterior, *part.interiors):
            x, y = np.asarray(ring.coords).T
            mask ^= polygon2mask(shape, np.stack([y, x], axis=1) - 0.5)
    return mask


def outlines_of(mask: np.ndarray) -> tuple[np.ndarray, list[shapely.Geometry]]:
    labels, found = ndimage.label(mask, np.ones((3, 3)))
    runs = find_runs(mask)
    return labels, outline(runs, labels[runs.rows, runs.starts] - 1, found)


def check(mask: np.ndarray) -> None:
    labels, found = outlines_of(mask)
    for number, one in enumerate(found, start=1):
        px = labels == number
        assert one.is_valid and one.area == px.sum()
        assert np.array_equal(filled(mask.shape, one), px)
        # what touches by corners only is a part of its own; a hole is what four neighbours enclose with its corners
        assert len(shapely.get_parts(one)) == ndimage.label(px)[1]
        assert not shapely.is_empty(one)


@settings(max_examples=100)
@given(mask=hnp.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_any_mask(mask: np.ndarray) -> None:
    check(mask)


@pytest.mark.parametrize("density", [0.4, 0.7])
def test_many_holes_and_crossings(density: float) -> None:
    check(np.random.default_rng(3).random((24, 27)) < density)


def test_a_part_in_a_hole_that_touches_its_rim() -> None:
    rim = np.ones((7, 7), bool)
    rim[1:6, 1:6] = False
    rim[1, 1] = True
    rim[2:5, 2:5] = True
    rim[3, 3] = False
    _, (one,) = outlines_of(rim)
    assert sorted(len(part.interiors) for part in one.geoms) == [1, 1]
    check(rim)


def test_corners_only() -> None:
    _, (one,) = outlines_of(np.ones((5, 9), bool))
    assert len(one.exterior.coords) == 5 and one.bounds == (0, 0, 9, 5)
