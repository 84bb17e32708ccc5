"""Which px were computed, against a canvas on which every tile paints white and one that paints grey."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.own import own_parts
from diffuscope.results.result import Result, open_result
from diffuscope.tiling.plan import Plan, make_plan
from diffuscope.tiling.region import Region

PORT = Raster(name="virtual CD3", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
OUTLINE = Region.from_polygon([(30.0, 20.0), (560.0, 90.0), (300.0, 420.0)])


def plan_of(region: Region | None = None, overlap: int = 16) -> Plan:
    """Tiles of 96 px on 500 × 700, those below the diagonal without tissue."""
    return make_plan(
        shape=(500, 700), factors=(1.0, 1.0), tile=96, overlap=overlap, region=region, spacing=(0.5, 0.5),
        shows=lambda y, x, *_: y < x + 50,
    )  # fmt: skip


def canvas_of(path: Path, plan: Plan, *, resume: bool = False) -> Canvas:
    record = {"command": "", "inputs": {"he": {"mpp_stated": 0.5}}}
    return Canvas(path, plan=plan, ports=(PORT,), record=record, resume=resume)


def paint(canvas: Canvas, value: float, count: int | None = None, skip: int = 0) -> None:
    for tile in list(canvas.plan.tiles())[skip:count]:
        canvas.write_tile(tile, {"ihc": np.full((3, 96, 96), value, np.float32)})


def mask_of(result: Result, level: int = 0) -> np.ndarray:
    assert result.coverage is not None
    height, width = result.images["ihc"][level].shape[:2]
    return result.coverage.read().mask((range(height), range(width)), (2**level, 2**level))


def painted(result: Result, level: int = 0) -> np.ndarray:
    return (np.asarray(result.images["ihc"][level]) != PORT.fill).any(axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize("region", [None, Region(40, 30, 333, 222), OUTLINE], ids=["tissue", "rectangle", "outline"])
@pytest.mark.parametrize("overlap", [0, 48])
@pytest.mark.parametrize("count", [5, None])
@pytest.mark.parametrize("finished", [True, False])
def test_white_is_covered_where_grey_would_be(
    tmp_path: Path, region: Region | None, overlap: int, count: int | None, finished: bool
):
    plan = plan_of(region, overlap)
    found = {}
    for value in (90.0, 255.0):
        canvas = canvas_of(tmp_path / f"{value}.ome.zarr", plan)
        paint(canvas, value, count)
        if finished:
            canvas.finish()
        else:
            canvas.refresh()
        found[value] = open_result(canvas.path)
    expected = painted(found[90.0])
    np.testing.assert_array_equal(mask_of(found[90.0]), expected)
    np.testing.assert_array_equal(mask_of(found[255.0]), expected)
    assert expected.any() or not finished


def test_at_every_level_all_that_was_computed_is_covered(tmp_path: Path):
    canvas = canvas_of(tmp_path / "a.ome.zarr", plan_of(OUTLINE))
    paint(canvas, 90.0)
    assert canvas.finish()
    result = open_result(canvas.path)
    assert len(result.images["ihc"]) > 1
    fine = painted(result)
    for level in range(1, len(result.images["ihc"])):
        factor, mask = 2**level, mask_of(result, level)
        rows, columns = np.argwhere(fine).T // factor
        # at the outline a coarse px may touch it by a corner
        assert mask[rows, columns].mean() > 0.995
        assert mask.sum() <= 1.02 * len(set(zip(rows.tolist(), columns.tolist(), strict=True)))


def test_a_result_gone_on_with_keeps_what_it_had(tmp_path: Path):
    plan = plan_of()
    canvas = canvas_of(tmp_path / "a.ome.zarr", plan)
    paint(canvas, 90.0, 5)
    assert not canvas.finish()
    before = painted(open_result(canvas.path))
    again = canvas_of(canvas.path, plan, resume=True)
    np.testing.assert_array_equal(mask_of(open_result(canvas.path)), before)
    paint(again, 90.0, 9, skip=5)
    again.refresh()
    result = open_result(canvas.path)
    assert mask_of(result)[painted(result)].all()
    paint(again, 90.0, skip=9)
    assert again.finish()
    result = open_result(canvas.path)
    np.testing.assert_array_equal(mask_of(result), painted(result))


def test_it_is_the_result_s_own_file(tmp_path: Path):
    canvas = canvas_of(tmp_path / "a.ome.zarr", plan_of())
    paint(canvas, 255.0, 5)
    canvas.finish()
    is_own = own_parts(canvas.path)
    files = [file for file in canvas.path.rglob("*") if file.is_file()]
    assert files and [file for file in files if not is_own(file.relative_to(canvas.path).as_posix())] == []


@pytest.mark.parametrize("about", [
    {"axes": []}, {"axes": [{"tile": 1}]}, {"polygon": [[0, 0]]}, {"axes": None},
    *({"axes": [{"factor": 1.0, "tile": tile, "overlap": over, "size": 700, "start": 0, "length": 500}] * 2}
      for tile, over in ((0, 0), (96, 96), (96, 16), (10**9, 0))),
])  # fmt: skip
def test_what_a_stranger_says_of_it_is_held_to_the_canvas(tmp_path: Path, about: dict[str, object]):
    canvas = canvas_of(tmp_path / "a.ome.zarr", plan_of())
    canvas.finish()
    attributes = canvas.path / "coverage" / ".zattrs"
    attributes.write_text(json.dumps(json.loads(attributes.read_text()) | about))
    with pytest.raises(InputError, match="is damaged"):
        open_result(canvas.path)


@settings(max_examples=20, deadline=None)
@given(y=st.integers(0, 490), x=st.integers(0, 690), height=st.integers(1, 300), width=st.integers(1, 300))
def test_a_box_is_counted_where_any_of_it_is_covered(shared_result: Result, y: int, x: int, height: int, width: int):
    coverage = shared_result.coverage
    assert coverage is not None
    box = range(y, min(y + height, 500)), range(x, min(x + width, 700))
    covered = coverage.read()
    assert (covered.count(box, (1, 1)) > 0) == covered.mask(box, (1, 1)).any()


@pytest.fixture(scope="module")
def shared_result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    canvas = canvas_of(tmp_path_factory.mktemp("coverage") / "a.ome.zarr", plan_of())
    paint(canvas, 255.0, 7)
    canvas.finish()
    return open_result(canvas.path)
