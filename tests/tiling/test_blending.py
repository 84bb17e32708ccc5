"""Weights: a partition of unity wherever a tile exists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.tiling.blending import cell_weights, ramp

NEAR = ((1, 1), (1, 0), (0, 1), (0, 0))
grids = st.integers(1, 40).flatmap(lambda stride: st.tuples(st.just(stride), st.integers(0, stride)))


@given(st.integers(1, 200))
def test_ramp_rises_smoothly_and_its_mirror_is_its_complement(overlap):
    rising = ramp(overlap)
    np.testing.assert_allclose(rising + rising[::-1], 1, atol=1e-12)
    assert (np.diff(rising) > 0).all()
    # sin² is steepest in the middle, with slope π / 2 per overlap: no jump anywhere.
    assert np.diff(rising, prepend=0, append=1).max() <= np.pi / 2 / overlap + 1e-12


@given(grids, st.sets(st.sampled_from(NEAR), min_size=1))
def test_weights_sum_to_one_wherever_a_tile_reaches(grid, present):
    stride, overlap = grid
    present = tuple(place for place in NEAR if place in present)
    weights, covered = cell_weights((stride, stride), (overlap, overlap), present)
    # A tile before the cell reaches into its first `overlap` px, the cell's own tile into all of it.
    reach = np.zeros((len(present), stride, stride), bool)
    for index, (dy, dx) in enumerate(present):
        reach[index, : overlap if dy else stride, : overlap if dx else stride] = True
    np.testing.assert_array_equal(covered, reach.any(axis=0))
    np.testing.assert_allclose(weights.sum(axis=0), covered, atol=1e-6)
    assert (weights[~reach] == 0).all()
    assert (weights >= 0).all()
    alone = reach.sum(axis=0) == 1
    assert (weights.sum(axis=0)[alone] == 1).all()


def test_along_an_axis_without_overlap_a_volume_has_the_weights_of_a_slide():
    flat, _ = cell_weights((12, 10), (4, 3), NEAR)
    deep, covered = cell_weights((5, 12, 10), (0, 4, 3), tuple((0, *place) for place in NEAR))
    np.testing.assert_array_equal(deep, np.repeat(flat[:, None], 5, axis=1))
    assert covered.all()


def test_the_weight_of_a_tile_falls_to_nearly_nothing_at_its_edge():
    weights, _ = cell_weights((32, 32), (16, 16), ((0, 1), (0, 0)))
    assert weights[0, 0, 15] < 0.01
    assert weights[1, 0, 0] < 0.01
    np.testing.assert_allclose(weights[0, :, 16:], 0)
