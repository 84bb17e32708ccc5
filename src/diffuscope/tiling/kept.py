"""Finished tiles, kept whole until every cell that they reach into is composed, with the ledger of all finished."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.tiling.durable import to_disk
from diffuscope.tiling.ledger import Ledger

Index = tuple[int, ...]


class KeptTiles:
    """The folder ``tiles`` of an unfinished result: one float32 file a tile, called by its index.

    Parameters
    ----------
    folder : Path
        Made by `create`, unless a run before this one left it.
    axes : int
        Numbers in a tile's index.
    """

    def __init__(self, folder: Path, axes: int) -> None:
        self._folder = folder
        self._ledger = Ledger(folder / "ledger", axes)

    def create(self) -> None:
        """Make the folder."""
        self._folder.mkdir()

    def remove(self) -> None:
        """Remove the folder, which the finished result does not need."""
        shutil.rmtree(self._folder)

    def keep(self, index: Index, pixels: NDArray[np.float32]) -> None:
        """Write a tile, whole or not at all, and enter it; both are on disk when this returns."""
        part = self._folder / "part"
        with part.open("wb") as file:
            np.save(file, pixels)
        part.replace(self._file(index))
        to_disk(self._file(index))
        self.enter(index)

    def enter(self, index: Index) -> None:
        """Enter a tile as finished."""
        self._ledger.enter(*index)

    def strike(self, indices: Collection[Index]) -> None:
        """Forget tiles: they are not finished, and not kept."""
        self._ledger.strike(indices)
        for index in indices:
            self.let_go(index)

    def is_sound(self, index: Index) -> bool:
        """Whether a tile that lies in the folder can be read to its end."""
        try:
            self.read(index)
        except (OSError, ValueError, EOFError):
            return False
        return True

    def finished(self) -> Iterator[Index]:
        """Yield the tiles that were entered, kept still or not."""
        return iter(self._ledger)

    def __iter__(self) -> Iterator[Index]:
        """Yield the tiles that lie in the folder: those in flight and at the edge of what is done."""
        for file in self._folder.glob("*_*.npy"):
            yield tuple(map(int, file.stem.split("_")))

    def __contains__(self, index: Index) -> bool:
        """Whether a tile lies in the folder."""
        return self._file(index).exists()

    def read(self, index: Index) -> NDArray[np.float32]:
        """Return a tile's pixels (c, *shape), read as they are looked at."""
        pixels: NDArray[np.float32] = np.load(self._file(index), mmap_mode="r")
        return pixels

    def let_go(self, index: Index) -> None:
        """Delete a tile; it stays in the ledger."""
        self._file(index).unlink(missing_ok=True)

    def _file(self, index: Index) -> Path:
        return self._folder / f"{'_'.join(map(str, index))}.npy"
