"""The grid of a volume: coverage, weights, anchoring and selection over random geometries."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.results.canvas import Canvas
from diffuscope.tiling.blending import cell_weights
from diffuscope.tiling.boxes import box_slices, halves
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

SPACING = (3.0, 0.9, 0.9)
grids = st.integers(1, 12).flatmap(lambda tile: st.tuples(st.just(tile), st.integers(0, tile // 2)))
# Exact in binary, so that the reference below has no rounding of its own to explain.
factors = st.tuples(*[st.sampled_from([0.5, 1.0, 1.25, 2.0, 3.0])] * 3)


@st.composite
def volumes(draw: st.DrawFn) -> dict:
    """A volume, its grid and a region of it, as `make_plan` takes them."""
    shape = tuple(draw(st.integers(1, 20)) for _ in range(3))
    (tile, overlap), (depth, overlap_depth) = draw(grids), draw(grids)
    region = slices = None
    if draw(st.booleans()):
        z, y, x = (draw(st.integers(0, side - 1)) for side in shape)
        count, height, width = (draw(st.integers(1, side)) for side in shape)
        region, slices = Region(x, y, width, height), (z, min(z + count, shape[0]))
    return {
        "shape": shape,
        "spacing": SPACING,
        "factors": draw(factors),
        "tile": tile,
        "overlap": overlap,
        "depth": depth,
        "overlap_depth": overlap_depth,
        "region": region,
        "slices": slices,
    }


def grid_of(volume: dict) -> list[tuple[int, int]]:
    """(tile, stride) along z, y, x."""
    side, depth = volume["tile"], volume["depth"]
    in_plane = (side, side - volume["overlap"])
    return [(depth, depth - volume["overlap_depth"]), in_plane, in_plane]


def outer(lines: list[np.ndarray]) -> np.ndarray:
    return lines[0][:, None, None] * lines[1][None, :, None] * lines[2][None, None, :]


@settings(max_examples=60)
@given(volumes())
def test_every_voxel_of_the_window_is_covered_by_all_its_grid_tiles(volume):
    plan = make_plan(**volume)
    starts, lengths = halves(plan.window)
    times = np.zeros(lengths, int)
    for tile in plan.tiles():
        near = [c - s for c, s in zip(tile.corner, starts, strict=True)]
        times[tuple(slice(max(n, 0), max(n + side, 0)) for n, side in zip(near, plan.shape, strict=True))] += 1
    # Grid tiles over a voxel along an axis, counted from the definition alone: i·stride <= p < i·stride + tile, i >= 0.
    lines = []
    for (tile, stride), start, length in zip(grid_of(volume), starts, lengths, strict=True):
        p = np.arange(start, start + length)
        lines.append((p // stride + 1) - np.maximum((p - tile) // stride + 1, 0))
    np.testing.assert_array_equal(times, outer(lines))
    assert times.min() >= 1
    assert times.max() <= 8
    assert plan.count == len(list(plan.tiles())) == plan.selected.size


@pytest.mark.slow
@settings(max_examples=60)
@given(volumes())
def test_cells_partition_the_window_and_their_weights_sum_to_one(volume):
    plan = make_plan(**volume)
    starts, lengths = halves(plan.window)
    seen = np.zeros(lengths, int)
    total = np.zeros(lengths)
    cells = {cell for tile in plan.tiles() for cell in plan.cells(tile)}
    strides, overlaps = zip(*((axis.stride, axis.overlap) for axis in plan.axes), strict=True)
    for cell in cells:
        begin, size = halves(plan.cell_box(cell))
        if not prod(size):
            continue
        here = box_slices((*(b - s for b, s in zip(begin, starts, strict=True)), *size))
        seen[here] += 1
        near = plan.covering(cell)
        before = tuple(tuple(i - j for i, j in zip(cell, tile.index, strict=True)) for tile in near)
        weights, _ = cell_weights(strides, overlaps, before)
        inner = box_slices((*(b - i * s for b, i, s in zip(begin, cell, strides, strict=True)), *size))
        # A tile weighs something exactly where it reaches.
        for tile, weight in zip(near, weights, strict=True):
            reach = [
                (np.arange(b, b + n) >= c) & (np.arange(b, b + n) < c + side)
                for b, n, c, side in zip(begin, size, tile.corner, plan.shape, strict=True)
            ]
            np.testing.assert_array_equal(weight[inner] > 0, outer(reach))
        total[here] += weights.sum(axis=0)[inner]
    assert (seen == 1).all()
    np.testing.assert_allclose(total, 1, atol=1e-6)


@settings(max_examples=60)
@given(volumes())
def test_the_window_is_the_region_rounded_outward_and_selects_tiles_of_the_whole(volume):
    plan = make_plan(**volume)
    shape = volume["shape"]
    region, slices = volume["region"] or Region(0, 0, shape[2], shape[1]), volume["slices"] or (0, shape[0])
    parts = [slices, (region.y, region.y + region.height), (region.x, region.x + region.width)]
    expected = []
    for (start, stop), side, factor in zip(parts, shape, map(Fraction, volume["factors"]), strict=True):
        low = floor(start / factor)
        expected.append((low, ceil(min(stop, side) / factor) - low))
    assert plan.window == (*(low for low, _ in expected), *(length for _, length in expected))
    assert set(plan.tiles()) <= set(make_plan(**(volume | {"region": None, "slices": None})).tiles())


def test_slice_by_slice_a_plane_has_the_tiles_of_a_slide():
    options = {"tile": 16, "overlap": 4}
    plan = make_plan(shape=(5, 60, 50), spacing=SPACING, factors=(1.0, 1.25, 1.25), **options)
    slide = make_plan(shape=(60, 50), factors=(1.25, 1.25), **options)
    expected = [((z, *tile.index), (z, *tile.corner)) for z in range(5) for tile in slide.tiles()]
    assert [(tile.index, tile.corner) for tile in plan.tiles()] == expected
    assert {tile.z for tile in slide.tiles()} == {0}
    assert [tile.z for tile in plan.tiles()] == [corner[0] for _, corner in expected]


def test_the_canvas_has_the_spacing_that_the_factors_make():
    plan = make_plan(shape=(40, 80, 80), spacing=SPACING, factors=(0.5, 2.0, 3.0), tile=16, overlap=4)
    assert plan.spacing == pytest.approx((1.5, 1.8, 2.7))
    assert plan.window == (0, 0, 0, 80, 40, 27)


def test_a_part_outside_or_empty_is_refused():
    volume = {"shape": (10, 20, 20), "spacing": SPACING, "factors": (1, 1, 1), "tile": 8, "overlap": 2}
    with pytest.raises(InputError, match=r"region 0,-20,5,20 lies outside scan\.nii, which is 20 x 20 px"):
        make_plan(**volume, region=Region(0, -20, 5, 20), name="scan.nii")
    with pytest.raises(InputError, match=r"region 3 x -1 px is empty"):
        make_plan(**volume, region=Region(5, 5, 3, -1), name="scan.nii")
    for slices in ((10, 11), (0, 0), (5, 4)):
        with pytest.raises(ValueError, match="is no part of 10 px"):
            make_plan(**volume, slices=slices)


def test_what_shows_nothing_is_computed_where_slices_or_a_region_are_given():
    volume = {"shape": (10, 20, 20), "spacing": SPACING, "factors": (1, 1, 1), "tile": 8, "overlap": 2}
    with pytest.raises(InputError, match=r"scan\.nii shows nothing but background: give a region"):
        make_plan(**volume, shows=lambda *_: False, name="scan.nii")
    assert make_plan(**volume, shows=lambda *_: False, slices=(2, 5)).count == 3 * 16
    assert make_plan(**volume, shows=lambda z, *_: z == 4).count == 16


@pytest.mark.parametrize("depth", [(0, 0), (4, 3), (1, 1), (4, -1)])
def test_tiles_that_make_no_grid_are_refused(depth):
    with pytest.raises(ValueError, match="no grid"):
        make_plan(
            shape=(9, 9, 9),
            spacing=SPACING,
            factors=(1, 1, 1),
            tile=8,
            overlap=2,
            depth=depth[0],
            overlap_depth=depth[1],
        )


def test_a_plan_without_the_size_of_its_px_has_no_canvas(tmp_path, ports):
    for shape in ((9, 9), (9, 9, 9)):
        plan = make_plan(shape=shape, factors=(1.0,) * len(shape), tile=8, overlap=2)
        with pytest.raises(ValueError, match="size of its px"):
            Canvas(tmp_path / "out", plan=plan, ports=ports, record={})
    assert not (tmp_path / "out").exists()
