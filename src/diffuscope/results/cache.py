"""What of finished tiles waits for their neighbours."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.files.durable import names_to_disk, replacing
from diffuscope.results.ledger import NOTHING, checksum

Index = tuple[int, ...]
Cell = tuple[int, ...]
#: Of a result, and the file of `diffuscope.results.ledger.Ledger` in it.
FOLDER, LEDGER = "tiles", "ledger"
Parts = Mapping[Cell, NDArray[np.float32]]
#: By cell, the shape of a tile's part in it.
Shapes = Mapping[Cell, tuple[int, ...]]


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
        # Where each part lies in its tile's file, bytes, and its shape.
        self._places: dict[Index, dict[Cell, tuple[int, tuple[int, ...]]]] = {}

    def create(self) -> None:
        """Make the folder."""
        self._folder.mkdir()

    def remove(self) -> None:
        """Remove the folder, which the finished result does not need."""
        shutil.rmtree(self._folder)

    def there(self) -> list[Index]:
        """Return the tiles that have a file in the folder, sound or not; what else lies there is passed over."""
        return [index for file in self._folder.glob("*_*.npy") if (index := self._index(file)) is not None]

    def load(self, index: Index, shapes: Shapes) -> int:
        """Learn what is kept of a tile; return its checksum.

        Parameters
        ----------
        index : tuple of int
            The tile.
        shapes : mapping
            Of its parts in all cells that it reaches into.

        Raises
        ------
        OSError, ValueError, EOFError
            The file is not what `keep` writes of this tile.
        """
        stored = self._file(index).read_bytes()
        file = io.BytesIO(stored)
        table = np.load(file, allow_pickle=False)
        np.lib.format.read_magic(file)
        size, _, dtype = np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
        if table.ndim != 2 or table.shape[1] != 2 * self._axes + 1 or table.dtype.kind != "i" or dtype != np.float32:
            raise ValueError("it holds no parts of a tile")
        if len(stored) != offset + 4 * prod(size):
            raise ValueError("it was cut short")
        places = self._laid_out(table, offset)
        if any(shapes.get(cell) != shape for cell, (_, shape) in places.items()):
            raise ValueError("it holds parts of another tile")
        if sum(prod(shape) for _, shape in places.values()) != prod(size):
            raise ValueError("its table is not that of its parts")
        self._places[index] = places
        return checksum(stored)

    def keep(self, parts: Mapping[Index, Parts], each: Callable[..., Iterable[Any]] = map) -> dict[Index, int]:
        """Write parts (c, …) of tiles by their cells, each tile's whole or not at all; on disk when this returns.

        They count once their tile is in the ledger: a file of a tile that is not is worth nothing.

        Returns
        -------
        dict of tuple of int to int
            Checksums by tile.
        """
        sums = dict(each(self._keep, parts.items()))
        if parts:
            names_to_disk(self._folder)
        return sums

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
        """Delete what is kept of a tile; what the ledger says of it stays."""
        self._places.pop(index, None)
        file = self._file(index)
        if file.is_dir() and not file.is_symlink():  # what lies in a damaged result may be anything
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)

    def checksum(self, index: Index) -> int:
        """Return the checksum of what is kept of a tile, `NOTHING` where nothing is."""
        return checksum(self._file(index).read_bytes()) if index in self._places else NOTHING

    def _keep(self, item: tuple[Index, Parts]) -> tuple[Index, int]:
        index, parts = item
        table = np.array([(*cell, *block.shape) for cell, block in parts.items()], np.int32)
        content = np.concatenate([np.ravel(block) for block in parts.values()])
        head = io.BytesIO()
        np.save(head, table)
        np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(content))
        # Written as bytes: numpy counts what a full disk took, and does not say why it took no more.
        pieces = head.getvalue(), content.tobytes()
        with replacing(self._file(index)) as file:
            file.writelines(pieces)
        self._places[index] = self._laid_out(table, len(pieces[0]))
        return index, checksum(*pieces)

    def _laid_out(self, table: NDArray[np.int32], offset: int) -> dict[Cell, tuple[int, tuple[int, ...]]]:
        places = {}
        for row in table.tolist():
            shape = tuple(row[self._axes :])
            places[tuple(row[: self._axes])] = offset, shape
            offset += 4 * prod(shape)
        return places

    def _file(self, index: Index) -> Path:
        return self._folder / f"{'_'.join(map(str, index))}.npy"

    def _index(self, file: Path) -> Index | None:
        try:
            index = tuple(map(int, file.stem.split("_")))
        except ValueError:
            return None
        return index if len(index) == self._axes and self._file(index) == file else None
