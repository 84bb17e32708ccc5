"""One tile wherever one looks: held against the plan that a run makes of the region."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.glimpse.place import tile_region
from diffuscope.tiling.plan import make_plan


@given(
    shape=st.tuples(st.integers(40, 3000), st.integers(40, 3000)),
    share=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    factor=st.sampled_from([1.0, 2.0, 1.37, 0.5]),
    grid=st.sampled_from([(256, 32), (64, 0), (128, 64)]),
)
def test_a_region_is_one_tile_near_the_place(
    shape: tuple[int, int], share: tuple[float, float], factor: float, grid: tuple[int, int]
):
    tile, overlap = grid
    place = (share[0] * shape[0], share[1] * shape[1])
    region = tile_region(place, shape=shape, factor=factor, tile=tile, overlap=overlap, name="a")
    assert region.x >= 0 and region.y >= 0
    assert region.y + region.height <= shape[0] and region.x + region.width <= shape[1]
    plan = make_plan(shape=shape, factors=(factor, factor), tile=tile, overlap=overlap, region=region)
    if overlap < tile / 2:  # else two tiles meet everywhere
        assert plan.count == 1
    reach = tile * factor
    assert region.y - reach <= place[0] <= region.y + region.height + reach
    assert region.x - reach <= place[1] <= region.x + region.width + reach


def test_a_place_off_the_slide_is_a_sentence():
    with pytest.raises(InputError, match="off “slide”"):
        tile_region((10.0, 200.0), shape=(100, 200), factor=1.0, tile=64, overlap=8, name="slide")
