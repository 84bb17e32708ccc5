"""Counting in strips against counting in the whole image (scikit-image)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label, regionprops

from diffuscope.measurement.objects import ObjectCounter


def whole(mask: np.ndarray, smallest: int) -> int:
    return sum(region.area >= smallest for region in regionprops(label(mask, connectivity=2)))


def in_strips(mask: np.ndarray, cuts: list[int], smallest: int) -> int:
    counter = ObjectCounter(mask.shape[1], min_pixels=smallest)
    for strip in np.split(mask, cuts):
        counter.add(strip)
    return counter.finish()


@settings(max_examples=300)
@given(
    mask=hnp.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))),
    cuts=st.lists(st.integers(0, 24), max_size=8).map(sorted),
    smallest=st.integers(1, 12),
)
def test_any_mask_cut_anyhow(mask: np.ndarray, cuts: list[int], smallest: int) -> None:
    cuts = [min(cut, len(mask)) for cut in cuts]
    assert in_strips(mask, cuts, smallest) == whole(mask, smallest)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0.2, 0.6), height=st.integers(1, 40))
@pytest.mark.slow
def test_large_components_near_percolation(seed: int, density: float, height: int) -> None:
    # Around the percolation threshold components wind through many seams and meet again.
    mask = np.random.default_rng(seed).random((97, 83)) < density
    cuts = list(range(height, 97, height))
    for smallest in (1, 7, 100):
        assert in_strips(mask, cuts, smallest) == whole(mask, smallest)


def test_a_spiral_is_one_object() -> None:
    spiral = np.zeros((41, 41), bool)
    for ring in range(0, 20, 4):
        spiral[ring, ring : -ring or None] = spiral[-1 - ring, ring : -ring or None] = True
        spiral[ring : -ring or None, ring] = spiral[ring : -ring or None, -1 - ring] = True
        spiral[ring : ring + 5, 20] = True
    assert in_strips(spiral, list(range(1, 41)), 1) == 1
