"""What of finished tiles waits for their neighbours, with the ledger of all that are finished."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.files.durable import names_to_disk, replacing
from diffuscope.results.ledger import Ledger

Index = tuple[int, ...]
Cell = tuple[int, ...]
#: Of a result.
FOLDER = "tiles"
Parts = Mapping[Cell, NDArray[np.float32]]


class CachedParts:
    """The folder ``tiles`` of an unfinished result: of each tile the parts in cells that are not composed yet.

    A file a tile, called by its index: a table of cells and shapes, and the parts one after the other, float32.

    Parameters
    ----------
    folder : Path
        Made by `create`, unless a run before this one left it.
    axes : int
        Numbers in a tile's index, and in a cell's.
    """

    def __init__(self, folder: Path, axes: int) -> None:
        self._folder, self._axes = folder, axes
        self._ledger = Ledger(folder / "ledger", axes)
        # Where each part lies in its tile's file, bytes, and its shape.
        self._places: dict[Index, dict[Cell, tuple[int, tuple[int, ...]]]] = {}

    def create(self) -> None:
        """Make the folder."""
        self._folder.mkdir()

    def remove(self) -> None:
        """Remove the folder, which the finished result does not need."""
        shutil.rmtree(self._folder)

    def load(self) -> list[Index]:
        """Learn what lies in the folder; return the tiles whose file cannot be read to its end."""
        unsound = []
        for file in self._folder.glob("*_*.npy"):
            index = tuple(map(int, file.stem.split("_")))
            try:
                self._places[index] = self._look(file)
            except (OSError, ValueError, EOFError):
                unsound.append(index)
        return unsound

    def keep(self, parts: Mapping[Index, Parts], each: Callable[..., Iterable[Any]] = map) -> None:
        """Write parts (c, …) of tiles by their cells, each tile's whole or not at all; on disk when this returns.

        They count once `enter` has entered their tile: a file of a tile that is not in the ledger is worth nothing.
        """
        for _ in each(self._keep, parts.items()):
            pass
        if parts:
            names_to_disk(self._folder)

    def enter(self, indices: Collection[Index]) -> None:
        """Enter tiles as finished."""
        self._ledger.enter(*indices)

    def strike(self, indices: Collection[Index]) -> None:
        """Forget tiles: they are not finished, and not kept."""
        self._ledger.strike(indices)
        for index in indices:
            self.let_go(index)

    def finished(self) -> Iterator[Index]:
        """Yield the tiles that were entered, kept still or not."""
        return iter(self._ledger)

    def __iter__(self) -> Iterator[Index]:
        """Yield the tiles of which something is kept: those at the edge of what is done."""
        return iter(tuple(self._places))

    def has(self, index: Index, cell: Cell) -> bool:
        """Whether a tile's part in a cell is kept."""
        return cell in self._places.get(index, ())

    def read(self, index: Index, cell: Cell) -> NDArray[np.float32]:
        """Return a tile's part in a cell, (c, …)."""
        offset, shape = self._places[index][cell]
        return np.fromfile(self._file(index), np.float32, prod(shape), offset=offset).reshape(shape)

    def let_go(self, index: Index) -> None:
        """Delete what is kept of a tile; it stays in the ledger."""
        self._places.pop(index, None)
        self._file(index).unlink(missing_ok=True)

    def _keep(self, item: tuple[Index, Parts]) -> None:
        index, parts = item
        table = np.array([(*cell, *block.shape) for cell, block in parts.items()], np.int32)
        content = np.concatenate([np.ravel(block) for block in parts.values()])
        with replacing(self._file(index)) as file:
            np.save(file, table)
            np.save(file, content)
            offset = file.tell() - content.nbytes
        self._places[index] = self._laid_out(table, offset)

    def _look(self, path: Path) -> dict[Cell, tuple[int, tuple[int, ...]]]:
        """Return where the parts lie in a file; refuse one that was cut short."""
        with path.open("rb") as file:
            table = np.load(file)
            np.lib.format.read_magic(file)
            size, _, dtype = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
        if table.ndim != 2 or dtype != np.float32 or path.stat().st_size != offset + 4 * prod(size):
            raise ValueError(f"{path.name} holds no parts of a tile")
        return self._laid_out(table, offset)

    def _laid_out(self, table: NDArray[np.int32], offset: int) -> dict[Cell, tuple[int, tuple[int, ...]]]:
        places = {}
        for row in table.tolist():
            shape = tuple(row[self._axes :])
            places[tuple(row[: self._axes])] = offset, shape
            offset += 4 * prod(shape)
        return places

    def _file(self, index: Index) -> Path:
        return self._folder / f"{'_'.join(map(str, index))}.npy"
