"""Whether the directories of a TIFF lie inside it, and are no more and no larger than those of a slide.

Looked at before tifffile is: it loads what a tag claims, stops at the first directory that is missing and shows the
rest, so that a truncated file would open with fewer levels.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from diffuscope.errors import InputError

# A multiplex of 100 channels with ten levels has a thousand directories of some 25 tags.
_DIRECTORIES, _TAGS = 8192, 2**18
# Bytes of all tags' values: places and sizes of 8 million tiles, or a long description.
_VALUES = 2**27
_SUB_IFDS, _DESCRIPTION = 330, 270
# A description is read as text, and as XML, which takes some ten times its size.
_TEXT = 2**24
# Bytes of a value by TIFF's numbers of types.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def truncated(name: str) -> InputError:
    """The error for a file that ends too early."""
    return InputError(f"{name} is truncated: it ends before its last tile; copy or download it again.")


def check_directories(path: Path) -> None:
    """Walk all directories (IFDs and SubIFDs); of each and of its tags only the places and sizes are read.

    Raises
    ------
    InputError
        When the file ends before one of them or its values, or when they are more or larger than those of any slide.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        _walk(file, size, path.name, ndpi=path.suffix.lower() == ".ndpi")


def _walk(file: BinaryIO, size: int, name: str, *, ndpi: bool) -> None:
    """Walk them from the first on; Hamamatsu's (`ndpi`) are classic ones that lie where only 64 bits reach."""
    order, big, first = _header(file, name, ndpi=ndpi)
    number, entry = (f"{order}Q", f"{order}HHQ8s") if big else (f"{order}H", f"{order}HHI4s")
    after = f"{order}Q" if big or ndpi else f"{order}I"
    todo, seen, tags, values = [first], {0}, 0, 0
    while todo:
        offset = todo.pop()
        if offset in seen:
            continue
        seen.add(offset)
        if offset >= size:
            raise truncated(name)
        file.seek(offset)
        (count,) = _unpack(file, number, name)
        tags += count
        if tags > _TAGS or len(seen) > _DIRECTORIES:
            raise InputError(f"{name} lists more images than any slide has; save those you need as another file.")
        for tag, kind, length, stored in struct.iter_unpack(entry, _read(file, count * struct.calcsize(entry), name)):
            held = length * _BYTES.get(kind, 0)
            if held <= len(stored):
                place = stored
            else:
                place = b""
                # Of Hamamatsu's values the upper 32 bits of their places stand elsewhere.
                start = struct.unpack(f"{order}Q" if big else f"{order}I", stored)[0]
                if held > size or (not ndpi and start + held > size):
                    raise truncated(name)
                values += held
            if values > _VALUES or (tag == _DESCRIPTION and held > _TEXT):
                raise InputError(f"{name} has descriptions or lists of {held / 1e6:.0f} MB, more than any slide has.")
            if tag == _SUB_IFDS and not ndpi:
                if length > _DIRECTORIES:
                    raise InputError(f"{name} lists {length} levels of one image, more than any slide has.")
                todo += _numbers(file, order, kind, length, place or start)
        file.seek(offset + struct.calcsize(number) + count * struct.calcsize(entry))
        todo += _unpack(file, after, name)


def _header(file: BinaryIO, name: str, *, ndpi: bool) -> tuple[str, bool, int]:
    """Return byte order, whether it is a BigTIFF, and where the first directory lies."""
    start = _read(file, 4, name)
    order = "<" if start[:2] == b"II" else ">"
    big = struct.unpack(f"{order}H", start[2:])[0] == 43
    if big:
        width, zero = _unpack(file, f"{order}HH", name)
        if (width, zero) != (8, 0):
            raise InputError(f"{name} is damaged: its first bytes are no TIFF's; copy or download it again.")
    return order, big, _unpack(file, f"{order}Q" if big or ndpi else f"{order}I", name)[0]


def _numbers(file: BinaryIO, order: str, kind: int, count: int, place: bytes | int) -> list[int]:
    """Return the directories that a tag lists: in its own bytes, or where its value lies."""
    form = order + {4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind, "I") * count
    if isinstance(place, int):
        file.seek(place)
        place = file.read(struct.calcsize(form))
    return list(struct.unpack_from(form, place)) if len(place) >= struct.calcsize(form) else []


def _unpack(file: BinaryIO, form: str, name: str) -> tuple[int, ...]:
    return struct.unpack(form, _read(file, struct.calcsize(form), name))


def _read(file: BinaryIO, length: int, name: str) -> bytes:
    """Return so many bytes, never asking for more than the file can have."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if length > left:
        raise truncated(name)
    return file.read(length)
