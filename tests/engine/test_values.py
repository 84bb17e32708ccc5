"""What a system tells of each tile and step: kept with the result, found again, the same after any end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from diffuscope.engine.batch import load, sample_tiles
from diffuscope.engine.cluster import Answer, ClusterCompute
from diffuscope.engine.fetch import Reports
from diffuscope.engine.tiles import run_tiles
from diffuscope.ports.numbers import Value
from diffuscope.results.canvas import Canvas
from diffuscope.results.ledger import Ledger
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

# Off the grid: the first tile begins before the canvas. One corner of the grid is not computed.
PLAN = make_plan(
    shape=(120, 150),
    factors=(1.0, 1.0),
    tile=32,
    overlap=8,
    region=Region(30, 20, 90, 70),
    shows=lambda y, x, *_: x + y > 30,
)
VALUES = (Value(name="a", key="a", range=(0.0, 1.0)), Value(name="b", key="b", range=(0.0, 1.0)))


@pytest.fixture(scope="module")
def slide() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 150, 3), np.uint8)


def arrays(path: Path) -> dict[str, np.ndarray]:
    return open_result(path).values.arrays


@pytest.mark.parametrize(("batch", "lanes"), [(1, 1), (4, 1), (2, 2)])
def test_every_tile_and_step_is_there(tmp_path, telling, run, slide, batch, lanes):
    path = tmp_path / "out"
    run(telling, slide, PLAN, path, batch=batch, lanes=lanes)
    result = open_result(path)
    found = result.values
    assert found.values == telling.values and found.stride == (24, 24) and found.tile == (32, 32)
    mean = {}
    for tile in PLAN.tiles():
        window = np.full((32, 32, 3), 255.0)
        part = slide[tile.y : tile.y + 32, tile.x : tile.x + 32]
        window[: part.shape[0], : part.shape[1]] = part
        mean[tile.index] = window.mean()
    for index in np.ndindex(PLAN.selected.shape):
        row = found.arrays["mean"][index]
        if not PLAN.selected[index]:
            assert np.isnan(row).all()
            continue
        own = mean[tuple(i + first for i, first in zip(index, PLAN.first, strict=True))]
        np.testing.assert_allclose(row, [own + 1, np.nan, own + 3], rtol=1e-5)
    rows = list(found.rows())
    assert len(rows) == 3 * PLAN.count
    top, left = PLAN.window[:2]
    first = next(PLAN.tiles())
    place = {"y": first.y - top, "x": first.x - left}
    assert rows[0].items() >= (place | {"step": 1}).items() and rows[0]["mean"] == pytest.approx(mean[first.index] + 1)
    assert np.isnan(rows[1]["mean"]) and rows[1]["step"] == 2


def test_a_reader_of_zarr_finds_them(tmp_path, telling, run, slide):
    run(telling, slide, PLAN, tmp_path / "out")
    stored = zarr.open_array(tmp_path / "out" / "values" / "mean", mode="r")
    np.testing.assert_array_equal(np.asarray(stored), arrays(tmp_path / "out")["mean"])


def test_a_cancelled_run_goes_on_to_the_same_values(tmp_path, telling, run, slide):
    run(telling, slide, PLAN, tmp_path / "whole")
    looked = iter(range(10**6))
    run(telling, slide, PLAN, tmp_path / "out", cancelled=lambda: next(looked) > 8)
    part = open_result(tmp_path / "out")
    assert 0 < part.done < part.tiles
    assert np.isfinite(part.values.arrays["step"]).all(axis=-1).sum() >= part.done
    run(telling, slide, PLAN, tmp_path / "out", resume=True)
    assert open_result(tmp_path / "out").complete
    for key, whole in arrays(tmp_path / "whole").items():
        np.testing.assert_array_equal(arrays(tmp_path / "out")[key], whole)


class Killed(BaseException):
    """The process is gone."""


class ThreeTiles:
    """A canvas of three tiles whose values are known, and whose writing can be ended anywhere."""

    plan = make_plan(shape=(1, 16, 40), spacing=(3.0, 1.0, 1.0), factors=(1.0, 1.0, 1.0), tile=16, overlap=0)

    def __init__(self, path: Path, ports) -> None:
        self.path, self.ports = path, ports
        self.canvas = Canvas(path, plan=self.plan, ports=ports, record={}, values=VALUES)

    def resume(self) -> None:
        self.canvas = Canvas(self.path, plan=self.plan, ports=self.ports, record={}, values=VALUES, resume=True)

    def told(self, tile) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(tile.index)
        return {value.key: rng.random(4, np.float32) for value in VALUES}

    def write(self) -> None:
        blank = {port.key: np.zeros((len(port.channels), *self.plan.shape), np.float32) for port in self.ports}
        for tile in self.plan.tiles():
            if not self.canvas.is_done(tile):
                self.canvas.write_tile(tile, blank, self.told(tile))

    def check(self) -> None:
        stored = arrays(self.path)
        for tile in self.plan.tiles():
            for key, row in self.told(tile).items() if self.canvas.is_done(tile) else ():
                np.testing.assert_array_equal(stored[key][self.plan.slot(*tile.index)], row)


def killed_at(monkeypatch, operation: int, action) -> bool:
    """End an action before its n-th operation on disk; return whether it had so many."""
    count = iter(range(10**6))

    def guarded(original):
        def run(*arguments, **named):
            if next(count) >= operation:
                raise Killed
            return original(*arguments, **named)

        return run

    with monkeypatch.context() as patch:
        owners = ((np, "save"), (Path, "replace"), (Path, "write_bytes"), (os, "fsync"), (Ledger, "enter"))
        for owner, name in (*owners, (zarr.Group, "create_array")):
            patch.setattr(owner, name, guarded(getattr(owner, name)))
        try:
            action()
        except Killed:
            return True
    return False


@pytest.mark.slow
def test_killed_before_any_operation_no_finished_tile_lacks_its_values(tmp_path, ports, monkeypatch):
    for at in [*range(12), *range(12, 100, 4)]:
        run = ThreeTiles(tmp_path / f"killed{at}", ports)
        ended = killed_at(monkeypatch, at, run.write)
        run.resume()
        run.check()
        run.write()
        assert run.canvas.finish()
        run.check()
        if not ended:
            break
    assert at > 12 and not ended


def test_an_array_that_was_cut_short_is_computed_again(tmp_path, telling, run, slide):
    run(telling, slide, PLAN, tmp_path / "whole")
    looked = iter(range(10**6))
    run(telling, slide, PLAN, tmp_path / "out", cancelled=lambda: next(looked) > 8)
    file = tmp_path / "out" / "values" / "mean" / "0" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-3])
    run(telling, slide, PLAN, tmp_path / "out", resume=True)
    for key, whole in arrays(tmp_path / "whole").items():
        np.testing.assert_array_equal(arrays(tmp_path / "out")[key], whole)


def test_a_system_that_tells_nothing_leaves_nothing(tmp_path, make_toy, run, slide):
    run(make_toy(), slide, PLAN, tmp_path / "out")
    assert open_result(tmp_path / "out").values is None
    assert not (tmp_path / "out" / "values").exists()


def test_results_are_opened_without_torch():
    code = "import sys, diffuscope.results.result; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@dataclass(frozen=True)
class Work:
    """Computes as `diffuscope.jobs.worker` does, with what it needs at hand."""

    system: object
    slide: np.ndarray
    batch: int = 2

    def __call__(self, tiles):
        def read(tile):
            window = np.full((32, 32, 3), 255, np.uint8)
            part = self.slide[tile.y : tile.y + 32, tile.x : tile.x + 32]
            window[: part.shape[0], : part.shape[1]] = part
            return {"he": window}

        loaded, told = load(read, tiles), Reports()
        preset = self.system.presets["fast"]
        steps = sample_tiles(self.system, loaded, (32, 32), preset, 3, self.batch, torch.device("cpu"))
        while True:
            try:
                told.take(next(steps))
            except StopIteration as end:
                return Answer(told.finished(loaded.tiles, end.value))

    def halved(self):
        raise NotImplementedError


def test_what_a_cluster_tells_is_what_one_process_tells(tmp_path, telling, run, slide):
    distributed = pytest.importorskip("distributed")
    run(telling, slide, PLAN, tmp_path / "alone", batch=2)
    canvas = Canvas(
        tmp_path / "out",
        plan=replace(PLAN, spacing=(0.5, 0.5)),
        ports=telling.outputs,
        record={},
        values=telling.values,
    )
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        list(run_tiles(ClusterCompute(client=client, work=Work(telling, slide)), canvas))
    for key, whole in arrays(tmp_path / "alone").items():
        np.testing.assert_array_equal(arrays(tmp_path / "out")[key], whole)
