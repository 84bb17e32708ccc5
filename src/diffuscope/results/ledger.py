"""The ledger of a run: which tiles are finished, in a file that survives any end."""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

from diffuscope.files.durable import names_to_disk, replacing


class Ledger:
    """Grid indices of finished tiles, four bytes an axis, in the order in which they were finished.

    An entry cut short by a kill is ignored, and cut off before the next one is written. A tile that is
    entered twice is one tile.

    Parameters
    ----------
    path : Path
        File; made by the first entry.
    axes : int
        Numbers in an index: 2 for the tiles of a slide, 3 for those of a volume.
    """

    def __init__(self, path: Path, axes: int = 2) -> None:
        self._path, self._entry = path, struct.Struct(f"<{axes}i")
        if path.exists() and (torn := path.stat().st_size % self._entry.size):
            os.truncate(path, path.stat().st_size - torn)

    def enter(self, *indices: tuple[int, ...]) -> None:
        """Enter tiles; on disk, not only on their way there, when this returns."""
        with self._path.open("ab") as file:
            file.write(b"".join(self._entry.pack(*index) for index in indices))
            file.flush()
            os.fsync(file.fileno())

    def strike(self, indices: Collection[tuple[int, ...]]) -> None:
        """Take tiles out again, all or none; on disk when this returns."""
        with replacing(self._path) as file:
            for index in self:
                if index not in indices:
                    file.write(self._entry.pack(*index))
        names_to_disk(self._path.parent)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of every entry, read piece by piece."""
        if not self._path.exists():
            return
        size = self._entry.size
        with self._path.open("rb") as file:
            while piece := file.read(size * 4096):
                yield from self._entry.iter_unpack(piece[: len(piece) // size * size])
