"""What of an unfinished result counts as done when it is gone on with: nothing that is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from diffuscope.results.cache import CachedParts, Cell, Index
from diffuscope.results.cells import Cells
from diffuscope.results.chunks import read_chunk
from diffuscope.results.layout import chunk_file
from diffuscope.results.ledger import NOTHING, Chunk, Ledger, Noted, checksum
from diffuscope.results.values import ValueStore
from diffuscope.tiling.boxes import chunks
from diffuscope.tiling.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What counts as done.

    Attributes
    ----------
    done, again : frozenset of tuple of int
        Tiles that are done, and those that were and are done again.
    opened : frozenset of tuple of int
        Cells of these that are composed again; other cells whose tiles were all done once hold their pixels.
    spoilt : int
        Tiles that counted until now.
    """

    done: frozenset[Index] = frozenset()
    again: frozenset[Index] = frozenset()
    opened: frozenset[Cell] = frozenset()
    spoilt: int = 0

    @property
    def notices(self) -> tuple[str, ...]:
        """What to tell of it."""
        if not self.spoilt:
            return ()
        tiles = "1 finished tile was" if self.spoilt == 1 else f"{self.spoilt} finished tiles were"
        return (f"{tiles} not on disk as written (a file is missing, or was changed or damaged): computed again.",)


@dataclass(frozen=True, eq=False, kw_only=True)
class Recovery:
    """What lies in a result that a run before left.

    Attributes
    ----------
    plan : Plan
        What is computed.
    cells : Cells
        Of the plan.
    ledger : Ledger
        Written anew: it then says of all that is there what it is.
    kept : CachedParts
        Learns what of it is sound; the rest is deleted.
    images : sequence of list of zarr.Array
        Levels of each image, in the order of the ports.
    values : ValueStore
        What was told of the tiles.
    """

    plan: Plan
    cells: Cells
    ledger: Ledger
    kept: CachedParts
    images: Sequence[Sequence[zarr.Array[Any]]]
    values: ValueStore

    def __call__(self) -> Recovered:
        """Look everything over."""
        noted = self.ledger.read()
        noted.done = {index: sums for index, sums in noted.done.items() if self.plan.is_selected(*index)}
        before = set(noted.done)
        # Of a cell all of whose tiles were entered the pixels are there, but of those that wait for tiles done again.
        entered = {*noted.done, *noted.again}
        noted.opened = {cell for cell in noted.opened if not self._is_whole(cell, before)}
        sums = self._load_kept(noted)
        self._check_told(noted)
        for cell in set(self._damaged(noted)):
            noted.opened.add(cell)
            for near in self.plan.covering(cell):
                _drop(noted, near.index)
        for index in list(self._lost(noted, entered)):
            _drop(noted, index)
        for index in self.kept:
            if index not in noted.done:
                self.kept.let_go(index)
        for index in noted.again:
            waiting = (cell for cell in self.cells.of(self.plan.at(*index)) if not self._is_whole(cell, entered))
            noted.opened.update(waiting)
        told = {index: self.values.checksum(self.plan.slot(*index)) for index in noted.done}
        noted.done = {index: (sums.get(index, NOTHING), told[index]) for index in noted.done}
        noted.sure, noted.maybe = dict(self._stored()), {}
        self.ledger.write(noted)
        return Recovered(
            done=frozenset(noted.done),
            again=frozenset(noted.again),
            opened=frozenset(noted.opened),
            spoilt=len(before - noted.done.keys()),
        )

    def _is_whole(self, cell: Cell, tiles: Any) -> bool:
        return all(near.index in tiles for near in self.plan.covering(cell))

    def _load_kept(self, noted: Noted) -> dict[Index, int]:
        """Learn what is kept, drop tiles of which it is not what was entered, and return the checksums."""
        sums = {}
        for index in self.kept.there():
            found = None
            if index in noted.done:  # else it was never entered, or is to be done again
                with suppress(OSError, ValueError, EOFError, OverflowError, MemoryError):
                    found = self.kept.load(index, self.cells.shapes(self.plan.at(*index)))
            stated = noted.done.get(index)
            if found is None or (stated is not None and stated[0] != found):
                self.kept.let_go(index)
                _drop(noted, index)
            else:
                sums[index] = found
        return sums

    def _check_told(self, noted: Noted) -> None:
        """Drop tiles of which what was told is not what was entered."""
        sound = self.values.is_sound()
        wrong = [
            index
            for index, sums in noted.done.items()
            if not sound
            or (sums is not None and sums[1] not in (NOTHING, self.values.checksum(self.plan.slot(*index))))
        ]
        for index in wrong:
            _drop(noted, index)

    def _lost(self, noted: Noted, entered: set[Index]) -> Iterator[Index]:
        """Yield tiles of which a part is neither on the canvas nor kept."""
        for index in list(noted.done):
            for cell in self.cells.of(self.plan.at(*index)):
                composed = cell not in noted.opened and self._is_whole(cell, entered)
                if not composed and not self.kept.has(index, cell):
                    yield index
                    break

    def _damaged(self, noted: Noted) -> Iterator[Cell]:
        """Yield the cells that reach into a chunk that is not as it was written, and delete its files."""
        damaged = {chunk for number, chunk in self._places(noted) if not self._is_sound(noted, (number, chunk))}
        for levels in self.images:
            for chunk in damaged:
                chunk_file(levels[0], chunk).unlink(missing_ok=True)
        for tile in self.plan.tiles() if damaged else ():
            for cell in self.cells.of(tile):
                if not damaged.isdisjoint(chunks(self.cells.box(cell))):
                    yield cell

    def _is_sound(self, noted: Noted, place: Chunk) -> bool:
        number, chunk = place
        array = self.images[number][0]
        try:
            if not self.ledger.is_old:
                return noted.allows(place, _sum_of(chunk_file(array, chunk)))
            read_chunk(array, chunk)
        except Exception:  # noqa: BLE001  each codec fails in a way of its own
            return False
        return True

    def _places(self, noted: Noted) -> Iterator[Chunk]:
        """Yield every chunk that has a file, or should have one."""
        yield from {*noted.sure, *noted.maybe, *(place for place, _ in self._stored())}

    def _stored(self) -> Iterator[tuple[Chunk, int]]:
        """Yield every chunk that has a file, with the file's checksum."""
        for number, levels in enumerate(self.images):
            grid = levels[0].cdata_shape[1:]
            folder = chunk_file(levels[0], (0,) * len(grid)).parents[len(grid) - 1]
            for file in folder.glob("/".join("*" * len(grid))):
                parts = file.relative_to(folder).parts
                chunk = tuple(int(part) for part in parts if part.isascii() and part.isdigit())
                if len(chunk) == len(grid) and all(i < n for i, n in zip(chunk, grid, strict=True)):
                    yield (number, chunk), _sum_of(file)


def _drop(noted: Noted, index: Index) -> None:
    """Take a tile for not done; that it was stays known."""
    if index in noted.done:
        del noted.done[index]
        noted.again.add(index)


def _sum_of(file: Path) -> int:
    try:
        return checksum(file.read_bytes())
    except FileNotFoundError:
        return NOTHING
