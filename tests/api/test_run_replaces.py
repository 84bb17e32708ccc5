"""A run with overwrite: what it replaces stays, whole, until the first tile of the new result is on the disk."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import toys
import typer
import zarr
from model_card import CARD

import diffuscope
from diffuscope.cli.run import follow_run
from diffuscope.engine.events import Finished, Started, TileDone
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.results import begin
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

OPTIONS = {"device": "cpu", "threads": 1}


@pytest.fixture(params=["negative", "mood"])
def run(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_slide: Path):
    """Run a toy that goes tile by tile, or takes a case at once, into one folder; the old result lies there."""
    name = request.param
    monkeypatch.setitem(registry._ROWS, name, toys.ROWS[name])
    model = save_model(tmp_path / "model", build_system(name, {}), name, {}, CARD)
    given = {"report": "a good day"} if name == "mood" else small_slide

    def go(**options):
        part = {} if name == "mood" else {"region": "0,0,500,400", "mpp": 0.5}
        return list(diffuscope.run(model, given, tmp_path / "out.ome.zarr", **OPTIONS, **part, **options))

    go.model, go.given, go.toy = model, given, toys.Mood if name == "mood" else toys.Negative
    go()
    return go


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def stays(run, tmp_path: Path):
    """See that the old result is as it was, and nothing beside it."""
    before = contents(tmp_path)
    yield
    assert contents(tmp_path) == before and open_result(tmp_path / "out.ome.zarr").complete


@pytest.mark.usefixtures("stays")
def test_a_run_that_fails_at_its_first_tile_leaves_it(run, monkeypatch: pytest.MonkeyPatch):
    def fails(*_):
        raise RuntimeError("a fault of the system's own")
        yield

    monkeypatch.setattr(run.toy, "sample", fails)
    with pytest.raises(RuntimeError, match="of the system's own"):
        run(overwrite=True, seed=1)


@pytest.mark.usefixtures("stays")
@pytest.mark.parametrize(("of", "name"), [(begin, "create_images"), (Canvas, "write_tiles")])
def test_a_disk_that_is_full_by_the_first_tile_leaves_it(run, monkeypatch: pytest.MonkeyPatch, of, name: str):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(of, name, full)
    with pytest.raises(InputError, match="the disk is full"):
        run(overwrite=True, seed=1)


@pytest.mark.usefixtures("stays")
def test_a_run_that_is_cancelled_before_leaves_it_and_says_so(run, capsys: pytest.CaptureFixture):
    events = run(overwrite=True, seed=1, cancelled=lambda: True)
    assert not any(isinstance(event, Started) for event in events)
    assert isinstance(events[-1], Finished) and (events[-1].begun, events[-1].done) == (False, 0)
    with pytest.raises(typer.Exit) as left:
        follow_run((event for event in events), threading.Event())
    assert left.value.exit_code == 130 and "out.ome.zarr is as it was" in capsys.readouterr().err


def test_the_new_one_is_what_it_would_be_in_an_empty_place(run, tmp_path: Path):
    events = run(overwrite=True, seed=1)
    tiles = events[-1].tiles
    started = next(event for event in events if isinstance(event, Started))
    assert started.done == 1 and sum(isinstance(event, TileDone) for event in events) == tiles - 1
    assert events[-1].complete and events[-1].done == tiles
    out = tmp_path / "out.ome.zarr"
    replaced = open_result(out)
    out.rename(tmp_path / "replaced.ome.zarr")
    run(seed=1)
    fresh = open_result(out)
    assert replaced.found == fresh.found and replaced.record["parameters"]["seed"] == 1
    assert replaced.record["notices"] == fresh.record["notices"]
    arrays = [
        {key: array[:] for key, array in zarr.open_group(place, mode="r").arrays()}
        for place in (out, tmp_path / "replaced.ome.zarr")
    ]
    assert arrays[0].keys() == arrays[1].keys() and len(arrays[0]) >= len(fresh.images)
    for key, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][key])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out.ome.zarr", "replaced.ome.zarr"]


def test_it_goes_on_where_it_is_cancelled_later(run, tmp_path: Path):
    done = []
    events = diffuscope.run(
        run.model, run.given, tmp_path / "out.ome.zarr", **OPTIONS, overwrite=True, seed=2,
        cancelled=lambda: len(done) > 0,
        **({} if isinstance(run.given, dict) else {"region": "0,0,500,400", "mpp": 0.5}),
    )  # fmt: skip
    for event in events:
        done += [event] if isinstance(event, Started) else []
    result = open_result(tmp_path / "out.ome.zarr")
    assert result.record["parameters"]["seed"] == 2 and result.done >= 1
    if not result.complete:
        run(seed=2, resume=True)
    assert open_result(tmp_path / "out.ome.zarr").complete
