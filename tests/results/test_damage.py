"""A disk that failed under an unfinished result: what can no longer be read is computed again, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffuscope.results.canvas import Canvas
from diffuscope.results.layout import chunk_file
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import Plan, Tile, make_plan
from diffuscope.tiling.region import Region


@pytest.fixture
def plan() -> Plan:
    return make_plan(shape=(1500, 1400), factors=(1.0, 1.0), tile=288, overlap=32, region=Region(40, 90, 1300, 1200))


def pixels(tile: Tile, ports) -> dict[str, np.ndarray]:
    """Return what a deterministic system gives for a tile: alike in no two tiles."""
    rng = np.random.default_rng(list(tile.index))
    return {port.key: 200 * rng.random((len(port.channels), 288, 288)).astype(np.float32) for port in ports}


def paint(canvas: Canvas, number: int | None = None) -> list[Tile]:
    """Write the next tiles of a canvas; return them."""
    tiles = [tile for tile in canvas.plan.tiles() if not canvas.is_done(tile)][:number]
    for tile in tiles:
        canvas.write_tile(tile, pixels(tile, canvas.ports))
    return tiles


def images(path: Path) -> list[np.ndarray]:
    return [np.asarray(level) for levels in open_result(path).images.values() for level in levels]


def begin(path: Path, plan: Plan, ports, *, resume: bool = False) -> Canvas:
    return Canvas(path, plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={}, resume=resume)


@pytest.fixture
def whole(tmp_path, plan, ports) -> list[np.ndarray]:
    canvas = begin(tmp_path / "whole", plan, ports)
    paint(canvas)
    assert canvas.finish()
    return images(tmp_path / "whole")


@pytest.mark.parametrize("content", [b"", b"no longer a chunk"])
@pytest.mark.parametrize("chunk", [(0, 0), (1, 2)])
def test_a_damaged_chunk_is_computed_again(tmp_path, plan, ports, whole, chunk, content):
    canvas = begin(tmp_path / "out", plan, ports)
    before = len(paint(canvas, 25))
    assert not canvas.finish()
    for image in ("ihc", "dab"):
        chunk_file(canvas.images[image][0], chunk).write_bytes(content)
    again = begin(tmp_path / "out", plan, ports, resume=True)
    redone = before - again.count
    assert 0 < redone <= 16  # the tiles of the at most nine cells that a chunk touches
    # Cancelled once more on the way: nothing that is missing is taken for done.
    paint(again, 3)
    assert not again.finish()
    last = begin(tmp_path / "out", plan, ports, resume=True)
    assert last.count == before - redone + 3
    paint(last)
    assert last.finish()
    for got, want in zip(images(tmp_path / "out"), whole, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_kept_tile_that_was_cut_short_is_computed_again(tmp_path, plan, ports, whole):
    canvas = begin(tmp_path / "out", plan, ports)
    paint(canvas, 12)
    canvas.finish()
    kept = sorted((tmp_path / "out" / "tiles").glob("*.npy"))
    kept[-1].write_bytes(kept[-1].read_bytes()[:5000])
    kept[-2].write_bytes(b"")
    again = begin(tmp_path / "out", plan, ports, resume=True)
    assert again.count == 10
    paint(again)
    assert again.finish()
    for got, want in zip(images(tmp_path / "out"), whole, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_sound_result_loses_nothing(tmp_path, plan, ports):
    canvas = begin(tmp_path / "out", plan, ports)
    paint(canvas, 12)
    canvas.finish()
    assert begin(tmp_path / "out", plan, ports, resume=True).count == 12
