"""The grid: coverage, anchoring, selection; properties over random geometries."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region, parse_region

sizes = st.integers(1, 90)
grids = st.integers(2, 40).flatmap(lambda tile: st.tuples(st.just(tile), st.integers(0, tile // 2)))
# Exact in binary, so that the reference below has no rounding of its own to explain.
factors = st.sampled_from([0.5, 1.0, 1.25, 2.0, 3.0, 4.0])


@st.composite
def slides_with_region(draw: st.DrawFn) -> tuple[tuple[int, int], Region | None]:
    height, width = draw(sizes), draw(sizes)
    if draw(st.booleans()):
        return (height, width), None
    y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return (height, width), Region(x, y, draw(st.integers(1, width)), draw(st.integers(1, height)))


@settings(max_examples=60)
@given(slides_with_region(), grids, factors)
def test_every_pixel_of_the_window_is_covered_by_all_its_grid_tiles(slide, grid, factor):
    shape, region = slide
    tile, overlap = grid
    plan = make_plan(shape=shape, factors=(factor, factor), tile=tile, overlap=overlap, region=region)
    y, x, height, width = plan.window
    times = np.zeros((height, width), int)
    for t in plan.tiles():
        top, left = t.y - y, t.x - x
        times[max(top, 0) : max(top + tile, 0), max(left, 0) : max(left + tile, 0)] += 1
    # Grid tiles over a pixel, counted from the definition alone: i·stride <= p < i·stride + tile, i >= 0.
    stride = tile - overlap

    def number(start: int, length: int) -> np.ndarray:
        p = np.arange(start, start + length)
        return (p // stride + 1) - np.maximum((p - tile) // stride + 1, 0)

    np.testing.assert_array_equal(times, np.multiply.outer(number(y, height), number(x, width)))
    assert times.min() >= 1
    assert plan.count == len(list(plan.tiles()))


@settings(max_examples=60)
@given(slides_with_region(), grids, factors)
def test_the_window_is_the_region_rounded_outward_inside_the_slide(slide, grid, factor):
    (height, width), region = slide
    plan = make_plan(shape=(height, width), factors=(factor, factor), tile=grid[0], overlap=grid[1], region=region)
    f = Fraction(factor)
    region = region or Region(0, 0, width, height)
    bottom, right = min(region.y + region.height, height), min(region.x + region.width, width)
    y, x = floor(region.y / f), floor(region.x / f)
    assert plan.window == (y, x, ceil(bottom / f) - y, ceil(right / f) - x)


@settings(max_examples=60)
@given(slides_with_region(), grids, factors, st.integers(0, 2**32))
def test_a_region_selects_tiles_of_the_whole_slide(slide, grid, factor, seed):
    shape, region = slide

    def is_tissue(y, x, height, width):
        return hash((y, x, height, width, seed)) % 3 > 0

    options = {"shape": shape, "factors": (factor, factor), "tile": grid[0], "overlap": grid[1]}
    everything = set(make_plan(**options).tiles())
    plan = make_plan(**options, region=region or Region(0, 0, shape[1], shape[0]), shows=is_tissue)
    assert set(plan.tiles()) <= everything
    try:
        tissue = set(make_plan(**options, shows=is_tissue).tiles())
    except InputError:
        tissue = set()
    if set(plan.tiles()) & tissue:
        assert set(plan.tiles()) <= tissue


@settings(max_examples=60)
@given(slides_with_region(), grids)
def test_cells_partition_the_window_and_name_the_tiles_that_reach_them(slide, grid):
    shape, region = slide
    tile, overlap = grid
    plan = make_plan(shape=shape, factors=(1.0, 1.0), tile=tile, overlap=overlap, region=region)
    y, x, height, width = plan.window
    seen = np.zeros((height, width), int)
    tiles = list(plan.tiles())
    for cell in {cell for t in tiles for cell in plan.cells(t)}:
        top, left, rows, columns = plan.cell_box(cell)
        seen[top - y : top - y + rows, left - x : left - x + columns] += 1
        corners = (
            {(i, j) for i in (top, top + rows - 1) for j in (left, left + columns - 1)} if rows and columns else ()
        )
        for i, j in corners:
            reaching = {t for t in tiles if t.y <= i < t.y + tile and t.x <= j < t.x + tile}
            assert reaching <= set(plan.covering(cell))
    assert (seen == 1).all()


def test_a_polygon_selects_the_tiles_that_touch_it():
    points = [(10.0, 10.0), (190.0, 20.0), (30.0, 180.0)]
    region = Region.from_polygon(points)
    assert (region.x, region.y, region.width, region.height) == (10, 10, 180, 170)
    plan = make_plan(shape=(200, 200), factors=(2.0, 2.0), tile=16, overlap=4, region=region)
    outline = shapely.Polygon([(x / 2, y / 2) for x, y in points])
    grid = make_plan(shape=(200, 200), factors=(2.0, 2.0), tile=16, overlap=4)
    expected = {t for t in grid.tiles() if outline.intersects(shapely.box(t.x, t.y, t.x + 16, t.y + 16))}
    assert set(plan.tiles()) == expected
    assert (
        plan.count
        < make_plan(shape=(200, 200), factors=(2.0, 2.0), tile=16, overlap=4, region=Region(10, 10, 180, 170)).count
    )


@pytest.mark.parametrize("text", ["10,20,30,40", "1.5,2.0 30.25,4.0 20.0,50.125"])
def test_a_region_reads_back_what_it_prints(text):
    assert str(parse_region(text)) == text
    assert parse_region(str(parse_region(text))) == parse_region(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("800, 640, 100, 100", "800,640,100,100"), (" 1.5, 2 30 ,4  20,50.5", "1.5,2.0 30.0,4.0 20.0,50.5")],
)
def test_spaces_around_commas_divide_nothing(text, plain):
    assert str(parse_region(text)) == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "a,b,c,d",
        "1,2 3,4",
        "1,2 3,4 5",
        "1, 2, 3",
        "0,0 10,10 10,0 0,10",
        "0,0 1,1 2,2",
        "0,0 nan,1 2,2",
        "1.5,2,3,4",
    ],
)
def test_a_region_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        parse_region(text)


@pytest.mark.parametrize(
    "region", [Region(100, 0, 10, 10), Region(0, -20, 10, 20), Region(0, 0, 0, 5), Region(5, 5, 3, -1)]
)
def test_a_region_outside_or_empty_is_refused(region):
    with pytest.raises(InputError, match="region"):
        make_plan(shape=(100, 100), factors=(1.0, 1.0), tile=16, overlap=4, region=region)


def test_no_tissue_is_an_error_only_without_a_region():
    options = {"shape": (100, 100), "factors": (1.0, 1.0), "tile": 16, "overlap": 4, "shows": lambda *_: False}
    with pytest.raises(InputError, match=r"no tissue found in white\.svs"):
        make_plan(**options, name="white.svs")
    assert make_plan(**options, region=Region(0, 0, 50, 50)).count == 25


def test_a_factor_with_rounding_error_adds_no_pixel():
    assert make_plan(shape=(111, 222), factors=(1.11, 1.11), tile=16, overlap=4).window == (0, 0, 100, 200)
