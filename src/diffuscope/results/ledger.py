"""The ledger of a run: which tiles are finished, with checksums of all that is done, in a file that survives any end.

Each entry has a checksum of its own, so that a bit that flips makes no tile out of another. What stands in a chunk is
entered before the chunk is written; once the tiles that it was written for are entered as well, nothing else may stand
there.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np

from diffuscope.files.durable import names_to_disk, replacing

Index = tuple[int, ...]
#: A chunk of an image: the image's number, and (…, cy, cx).
Chunk = tuple[int, Index]

_HEADER = b"diffuscope ledger version 2\n"
# Kind, number of an image, index (slides have two numbers, then 0), two checksums, and that of all of these.
_ENTRY, _CHECKED = struct.Struct("<BBxx3iIII"), 24
_FIELDS = [("kind", "u1"), ("image", "u1"), ("", "V2"), ("index", "<i4", 3), ("sums", "<u4", 2), ("check", "<u4")]
_DONE, _AGAIN, _OPEN, _CHUNK = 1, 2, 3, 4
#: Checksum of what has no file.
NOTHING = 0


def checksum(*pieces: bytes) -> int:
    """Return the checksum of some bytes, one piece after the other; never `NOTHING`."""
    found = 0
    for piece in pieces:
        found = crc32(piece, found)
    return found or 1


@dataclass
class Noted:
    """What a ledger says.

    Attributes
    ----------
    done : dict
        Finished tiles by index, with the checksums of what is kept of each and of what was told of it; None where the
        ledger knows none, as those of an older Diffuscope.
    again : set
        Tiles that were finished once and are to be done again.
    opened : set
        Cells that are to be composed again although all their tiles were finished once.
    sure : dict
        What stands in a chunk once all that was entered is on disk.
    maybe : dict
        What may stand there as well: it was about to be written.
    """

    done: dict[Index, tuple[int, int] | None] = field(default_factory=dict)
    again: set[Index] = field(default_factory=set)
    opened: set[Index] = field(default_factory=set)
    sure: dict[Chunk, int] = field(default_factory=dict)
    maybe: dict[Chunk, set[int]] = field(default_factory=dict)

    def allows(self, chunk: Chunk, found: int) -> bool:
        """Whether a chunk may have this checksum, `NOTHING` where it has no file."""
        maybe = self.maybe.get(chunk, ())
        return found in maybe or found == self.sure.get(chunk, NOTHING)


class Ledger:
    """The file of entries, in the order in which things were done.

    An entry cut short, or changed, is none. A tile that is entered twice is one tile.

    Parameters
    ----------
    path : Path
        File.
    axes : int
        Numbers in an index: 2 for the tiles of a slide, 3 for those of a volume.
    """

    def __init__(self, path: Path, axes: int = 2) -> None:
        self._path, self._axes, self._lock = path, axes, threading.Lock()

    def write(self, noted: Noted | None = None) -> None:
        """Begin the file anew, with what is known so far; on disk when this returns."""
        with replacing(self._path) as file:
            file.write(_HEADER)
            for entry in self._entries(noted or Noted()):
                file.write(entry)
        names_to_disk(self._path.parent)

    def enter(self, tiles: Mapping[Index, tuple[int, int]]) -> None:
        """Enter tiles, with the checksums of what is kept and what was told of them; on disk when this returns."""
        self._append(b"".join(self._packed(_DONE, index, *sums) for index, sums in tiles.items()), durable=True)

    def intend(self, chunk: Chunk, found: int) -> None:
        """Enter that a chunk is about to get this checksum."""
        number, index = chunk
        self._append(self._packed(_CHUNK, index, found, image=number), durable=False)

    def __iter__(self) -> Iterator[Index]:
        """Yield the index of every finished tile."""
        return iter(self.read().done)

    def at_a_glance(self) -> list[list[int]]:
        """Return the finished tiles of a run under way, quickly: what is shown is not looked over (see `read`)."""
        try:
            stored = self._path.read_bytes()
        except OSError:
            return []
        if not stored.startswith(_HEADER):
            old = np.frombuffer(stored, "<i4", len(stored) // (4 * self._axes) * self._axes)
            return list(old.reshape(-1, self._axes).tolist())
        entries = np.frombuffer(stored, np.dtype(_FIELDS), (len(stored) - len(_HEADER)) // _ENTRY.size, len(_HEADER))
        return list(entries["index"][entries["kind"] == _DONE, : self._axes].tolist())

    @property
    def is_old(self) -> bool:
        """Whether an older Diffuscope wrote it, or nobody: it holds indices alone."""
        return not self._begins_with(_HEADER)

    def read(self) -> Noted:
        """Return what the ledger says."""
        noted, waiting = Noted(), {}
        if self.is_old:
            noted.done = dict.fromkeys(self._old())
            return noted
        for kind, image, index, first, second in self._sound():
            if kind == _CHUNK:
                waiting[image, index] = first
                noted.maybe.setdefault((image, index), set()).add(first)
                continue
            # Whatever was to be written before these tiles were entered has been written.
            noted.sure |= waiting
            for chunk in waiting:
                del noted.maybe[chunk]
            waiting = {}
            if kind == _DONE:
                noted.done[index] = first, second
                noted.again.discard(index)
            elif kind == _AGAIN:
                noted.again.add(index)
            elif kind == _OPEN:
                noted.opened.add(index)
        return noted

    def _entries(self, noted: Noted) -> Iterator[bytes]:
        for (image, index), found in noted.sure.items():
            yield self._packed(_CHUNK, index, found, image=image)
        for index in noted.opened:
            yield self._packed(_OPEN, index)
        for index in noted.again:
            yield self._packed(_AGAIN, index)
        for index, sums in noted.done.items():
            yield self._packed(_DONE, index, *(sums or (NOTHING, NOTHING)))

    def _packed(self, kind: int, index: Index, first: int = 0, second: int = 0, *, image: int = 0) -> bytes:
        entry = _ENTRY.pack(kind, image, *index, *(0,) * (3 - len(index)), first, second, 0)[:_CHECKED]
        return entry + crc32(entry).to_bytes(4, "little")

    def _sound(self) -> Iterator[tuple[int, int, Index, int, int]]:
        """Yield kind, image, index and checksums of each entry that is as it was written, read piece by piece."""
        with self._path.open("rb") as file:
            file.seek(len(_HEADER))
            while piece := file.read(_ENTRY.size * 4096):
                for at in range(0, len(piece) - _ENTRY.size + 1, _ENTRY.size):
                    kind, image, *index, first, second, check = _ENTRY.unpack_from(piece, at)
                    if crc32(piece[at : at + _CHECKED]) == check:
                        yield kind, image, tuple(index[: self._axes]), first, second

    def _old(self) -> Iterator[Index]:
        """Yield the indices in a ledger of an older Diffuscope, four bytes a number and nothing else."""
        if self._path.exists():
            stored = self._path.read_bytes()
            entry = struct.Struct(f"<{self._axes}i")
            yield from entry.iter_unpack(stored[: len(stored) // entry.size * entry.size])

    def _append(self, entries: bytes, *, durable: bool) -> None:
        """Write at the end, all or nothing: after a part of an entry none would be read any more."""
        with self._lock, self._path.open("r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            end -= (end - len(_HEADER)) % _ENTRY.size
            file.seek(end)
            try:
                # Of a disk that takes a part of it the next call says why it takes no more.
                while entries:
                    entries = entries[file.write(entries) :]
                if durable:
                    os.fsync(file.fileno())
            except BaseException:
                file.truncate(end)
                raise

    def _begins_with(self, start: bytes) -> bool:
        try:
            with self._path.open("rb") as file:
                return file.read(len(start)) == start
        except FileNotFoundError:
            return False
