"""The ledger of a run: which tiles are finished, in a file that only grows and survives any end."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

_ENTRY = struct.Struct("<ii")


class Ledger:
    """Grid indices of finished tiles, eight bytes each, in the order in which they were finished.

    An entry cut short by a kill is ignored, and cut off before the next one is written. A tile that is
    entered twice is one tile.

    Parameters
    ----------
    path : Path
        File; made by the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists() and (torn := path.stat().st_size % _ENTRY.size):
            os.truncate(path, path.stat().st_size - torn)

    def enter(self, iy: int, ix: int) -> None:
        """Enter a tile; on disk, not only on its way there, when this returns."""
        with self._path.open("ab") as file:
            file.write(_ENTRY.pack(iy, ix))
            file.flush()
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (iy, ix) of every entry, read piece by piece."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            while piece := file.read(_ENTRY.size * 4096):
                yield from _ENTRY.iter_unpack(piece[: len(piece) // _ENTRY.size * _ENTRY.size])
