"""A run that ends at any moment goes on where it was, and comes to the same bits."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

from diffuscope.results.canvas import Canvas
from diffuscope.results.ledger import Ledger
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import Plan, Tile, make_plan
from diffuscope.tiling.region import Region


class Killed(BaseException):
    """The process is gone: nothing that would tidy up may run after it."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, operation: int) -> Iterator[list[str]]:
    """End everything at the n-th operation that changes the disk, before it is done; yields their names."""
    seen: list[str] = []

    def guard(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def guarded(*args: object, **options: object) -> object:
            seen.append(name)
            if len(seen) > operation:
                raise Killed
            return original(*args, **options)

        patch.setattr(owner, name, guarded)

    with monkeypatch.context() as patch:
        for owner, name in (
            (Ledger, "intend"),
            (Path, "replace"),
            (Path, "unlink"),
            (os, "fsync"),
            (zarr.Array, "__setitem__"),
            (Ledger, "enter"),
        ):
            guard(owner, name)
        yield seen


@pytest.fixture(params=["slide", "slices", "patches"])
def plan(request) -> Plan:
    # Off the grid, so that chunks and cells do not coincide.
    grid = {"tile": 288, "overlap": 32}
    if request.param == "slide":
        return make_plan(
            shape=(700, 700), spacing=(0.5, 0.5), factors=(1.0, 1.0), **grid, region=Region(40, 90, 440, 420)
        )
    patches = {"slices": (1, 4), "depth": 4, "overlap_depth": 2} if request.param == "patches" else {"slices": (1, 3)}
    return make_plan(
        shape=(5, 400, 250),
        spacing=(3.0, 1.0, 1.0),
        factors=(1.0, 1.0, 1.0),
        **grid,
        **patches,
        region=Region(0, 90, 250, 310),
    )


def make_canvas(path: Path, plan: Plan, ports, **options: object) -> Canvas:
    return Canvas(path, plan=plan, ports=ports, record={}, **options)


def pixels(tile: Tile, plan: Plan, ports) -> dict[str, np.ndarray]:
    """Return what a deterministic system gives for a tile: alike in no two tiles."""
    rng = np.random.default_rng(tile.index)
    return {port.key: rng.uniform(*port.range, (len(port.channels), *plan.shape)).astype(np.float32) for port in ports}


def write(canvas: Canvas, plan: Plan, ports, started: list[Tile]) -> None:
    for tile in plan.tiles():
        started.append(tile)
        canvas.write_tile(tile, pixels(tile, plan, ports))


def levels(path: Path) -> list[np.ndarray]:
    return [np.asarray(level) for pyramid in open_result(path).images.values() for level in pyramid]


def go(path: Path, plan: Plan, ports, *, resume: bool = False) -> tuple[bool, list[Tile]]:
    """Run to the end; return whether it is complete, and the tiles that were computed."""
    canvas = make_canvas(path, plan, ports, resume=resume)
    computed = [tile for tile in plan.tiles() if not canvas.is_done(tile)]
    for tile in computed:
        canvas.write_tile(tile, pixels(tile, plan, ports))
    return canvas.finish(), computed


def chosen(operations: list[str], plan: Plan) -> list[int]:
    """Return every fifth operation, and of each kind the first ones and the last: the rest repeat these.

    Volumes go the same ways as a slide: of them some.
    """
    if len(plan.axes) > 2:
        return list(range(0, len(operations), 8))
    places: dict[str, list[int]] = {}
    for at, name in enumerate(operations):
        places.setdefault(name, []).append(at)
    ends = {at for every in places.values() for at in (*every[:3], *every[-2:])}
    return sorted(ends | set(range(0, len(operations), 5)))


@pytest.mark.slow
def test_killed_before_any_operation_on_disk_it_comes_to_the_same_bits(tmp_path, plan, ports, monkeypatch):
    assert go(tmp_path / "whole", plan, ports)[0]
    whole = levels(tmp_path / "whole")
    # the operations of a whole run, less those of making the folder
    path = tmp_path / "counted"
    canvas = make_canvas(path, plan, ports)
    with killed_at(monkeypatch, 10**9) as operations:
        write(canvas, plan, ports, [])
    assert {"replace", "unlink", "fsync", "enter"} <= set(operations)
    for at in chosen(operations, plan):
        path = tmp_path / f"killed{at}"
        canvas = make_canvas(path, plan, ports)
        started: list[Tile] = []
        with pytest.raises(Killed), killed_at(monkeypatch, at):
            write(canvas, plan, ports, started)
        assert not open_result(path).complete
        complete, computed = go(path, plan, ports, resume=True)
        assert complete
        # the tile in flight, and what was not begun
        assert len(computed) <= plan.count - len(started) + 1, operations[at]
        for got, expected in zip(levels(path), whole, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"killed before operation {at}, {operations[at]}")
        assert not (path / "tiles").exists()


@pytest.mark.slow
def test_killed_while_resuming_it_still_comes_to_the_same_bits(tmp_path, plan, ports, monkeypatch):
    go(tmp_path / "whole", plan, ports)
    path = tmp_path / "out"
    canvas = make_canvas(path, plan, ports)
    for tile in list(plan.tiles())[: plan.count // 2]:
        canvas.write_tile(tile, pixels(tile, plan, ports))
    canvas.finish()  # cancelled: cells at the edge are composed from what there is
    for at in range(0, 60, 5):
        with killed_at(monkeypatch, at):
            try:
                make_canvas(path, plan, ports, resume=True)
            except Killed:
                pass
            else:
                break
    else:
        pytest.fail("recovery never came to an end")
    complete, computed = go(path, plan, ports, resume=True)
    assert complete
    assert len(computed) == plan.count - plan.count // 2
    for got, expected in zip(levels(path), levels(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("places", [((0, 1), (-3, 70000)), ((7, 0, 1), (8, 5, 70000))])
def test_an_entry_cut_short_or_changed_is_no_entry(tmp_path, places):
    axes = len(places[0])
    file = tmp_path / "ledger"
    ledger = Ledger(file, axes)
    ledger.write()
    assert list(ledger) == []
    for place in places:
        ledger.enter({place: (1, 2)})
    with file.open("ab") as opened:
        opened.write(b"\x01\x02\x03")
    assert list(Ledger(file, axes)) == list(places)
    ledger.enter({places[0][1:] + places[0][:1]: (3, 4)})
    assert len(list(ledger)) == 3
    whole = file.read_bytes()
    for at in range(28, len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        left = ledger.read().done
        assert (
            len(left) == 2
            and left.items() <= {**dict.fromkeys(places, (1, 2)), places[0][1:] + places[0][:1]: (3, 4)}.items()
        )


def test_the_ledger_of_an_older_version_is_read(tmp_path):
    (tmp_path / "ledger").write_bytes(struct.pack("<2i", 0, 1) + struct.pack("<2i", -3, 70000) + b"\x01\x02\x03")
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.is_old
    assert ledger.read().done == {(0, 1): None, (-3, 70000): None}
    assert list(Ledger(tmp_path / "none")) == []
