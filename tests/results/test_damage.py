"""A disk that failed under an unfinished result: what can no longer be read is computed again, and nothing else."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffuscope.results.canvas import Canvas
from diffuscope.results.layout import chunk_file
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import Plan, Tile, make_plan
from diffuscope.tiling.region import Region


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(shape=(1000, 900), factors=(1.0, 1.0), tile=288, overlap=32, region=Region(40, 90, 800, 800))


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory, plan, ports) -> list[np.ndarray]:
    path = tmp_path_factory.mktemp("whole") / "whole"
    canvas = begin(path, plan, ports)
    paint(canvas)
    assert canvas.finish()
    return images(path)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no longer a chunk"])
@pytest.mark.parametrize("chunk", [(0, 0), (1, 2)])
def test_a_damaged_chunk_is_computed_again(tmp_path, plan, ports, whole, chunk, content):
    canvas = begin(tmp_path / "out", plan, ports)
    before = len(paint(canvas, 13))
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


def last_of(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern))


def flip(file: Path) -> None:
    """Change one bit in the middle of a file: its pixels, not its head."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)


def of_another_shape(file: Path) -> None:
    with file.open("rb") as opened:
        table, content = np.load(opened), np.load(opened)
    with file.open("wb") as opened:
        np.save(opened, np.where(table == 32, 16, table))
        np.save(opened, content)


SPOILT = {
    "a chunk is missing": ("0/0/1/2", Path.unlink),
    "a bit of a chunk flipped": ("0/0/1/2", flip),
    "a chunk of another image is missing": ("dab/0/0/1/2", Path.unlink),
    "a kept tile is missing": ("tiles/*.npy", Path.unlink),
    "a bit of a kept tile flipped": ("tiles/*.npy", flip),
    "a kept tile was cut short": ("tiles/*.npy", lambda file: file.write_bytes(file.read_bytes()[:5000])),
    "a kept tile is empty": ("tiles/*.npy", lambda file: file.write_bytes(b"")),
    "a kept tile has another shape": ("tiles/*.npy", of_another_shape),
    "a kept tile is that of another tile": (
        "tiles/*.npy",
        lambda file: file.write_bytes(min(file.parent.glob("*.npy")).read_bytes()),
    ),
    "a bit of the ledger flipped": ("tiles/ledger", flip),
    "the ledger was cut short": (
        "tiles/ledger",
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    ),
    "the ledger is missing": ("tiles/ledger", Path.unlink),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", SPOILT)
def test_what_is_not_as_it_was_written_is_computed_again_and_told(tmp_path, plan, ports, whole, what):
    pattern, spoil = SPOILT[what]
    canvas = begin(tmp_path / "out", plan, ports)
    paint(canvas, 10)
    canvas.finish()
    spoil(last_of(tmp_path / "out", pattern))
    again = begin(tmp_path / "out", plan, ports, resume=True)
    assert again.count < 10
    if "ledger" not in what:
        [notice] = again.recovered.notices
        assert "computed again" in notice
        assert open_result(tmp_path / "out").record["notices"] == [notice]
    # Cancelled once more on the way, and gone on with by who finds nothing wrong any more.
    paint(again, 2)
    assert not again.finish()
    last = begin(tmp_path / "out", plan, ports, resume=True)
    assert last.recovered.spoilt == 0 and last.count == again.count
    paint(last)
    assert last.finish()
    for got, want in zip(images(tmp_path / "out"), whole, strict=True):
        np.testing.assert_array_equal(got, want)


def test_what_an_older_version_began_is_gone_on_with(tmp_path, plan, ports, whole):
    canvas = begin(tmp_path / "out", plan, ports)
    done = paint(canvas, 12)
    canvas.finish()
    ledger = tmp_path / "out" / "tiles" / "ledger"
    ledger.write_bytes(b"".join(struct.pack("<2i", *tile.index) for tile in done))
    last_of(tmp_path / "out", "tiles/*.npy").write_bytes(b"")
    chunk_file(canvas.images["ihc"][0], (0, 0)).write_bytes(b"no longer a chunk")
    again = begin(tmp_path / "out", plan, ports, resume=True)
    assert 0 < again.count < 11
    paint(again)
    assert again.finish()
    for got, want in zip(images(tmp_path / "out"), whole, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_sound_result_loses_nothing(tmp_path, plan, ports):
    canvas = begin(tmp_path / "out", plan, ports)
    paint(canvas, 10)
    canvas.finish()
    assert begin(tmp_path / "out", plan, ports, resume=True).count == 10
