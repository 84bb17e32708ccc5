"""Elements of a DICOM file where they lie, without an object for each: a slide has a sequence item for every tile.

pydicom makes a data set of each item, which takes minutes and gigabytes of memory for a slide of 100,000 tiles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.files import MAGIC, PREAMBLE
from diffuscope.scans.formats.dicom.header import printable

# How much of a file is looked through for its pixels, at first and at last: 100,000 tiles that say where they lie
# need some 20 MB.
_FIRST, _MOST = 2**20, 2**25
_PIXELS = 0x7FE00010
_SYNTAX = 0x00020010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
# Kinds whose length has 32 bits.
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_IMPLICIT, _DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"


class _CutOffError(Exception):
    """What is looked at ends in the middle of an element."""


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of a file, or of an item of a sequence, by their tags.

    Attributes
    ----------
    data : bytes
        Where they lie in.
    places : dict of int to (int, int)
        Of each, where its value begins and ends.
    is_explicit : bool
        Whether each says its kind.
    """

    data: bytes
    places: dict[int, tuple[int, int]]
    is_explicit: bool

    def value(self, tag: int) -> bytes:
        """Return an element as it is stored; empty where it is not there."""
        start, stop = self.places.get(tag, (0, 0))
        return self.data[start:stop]

    def texts(self, tag: int) -> tuple[str, ...]:
        """Return an element of texts; none where it is empty or not there."""
        text = self.value(tag).decode("latin-1").strip(" \0")
        return tuple(printable(part.strip(" \0")) for part in text.split("\\")) if text else ()

    def text(self, tag: int) -> str:
        """Return the first text of an element; empty where it is not there."""
        return next(iter(self.texts(tag)), "")

    def whole(self, tag: int, kind: str) -> int | None:
        """Return an element of one whole number, packed as `struct` calls it; None where it is not there."""
        value = self.value(tag)
        return struct.unpack_from("<" + kind, value)[0] if len(value) >= struct.calcsize(kind) else None

    def items(self, tag: int) -> Iterator[Elements]:
        """Yield the items of a sequence."""
        at, stop = self.places.get(tag, (0, 0))
        while at + 8 <= stop:
            kind, length = _pair(self.data, at)
            if kind != _ITEM:
                return
            end = at + 8 + length
            if length == _UNDEFINED:
                end = _end(self.data, at + 8, is_explicit=self.is_explicit)
            yield Elements(self.data, _places(self.data, at + 8, min(end, stop), self.is_explicit), self.is_explicit)
            at = end


@dataclass(frozen=True, eq=False)
class Head:
    """What stands before the pixels of a file.

    Attributes
    ----------
    elements : Elements
        Of the file.
    syntax : str
        UID of the transfer syntax.
    pixels : int
        Where the value of the pixels begins, in the file.
    length : int or None
        Of the pixels, bytes; None where they are cut into frames.
    """

    elements: Elements
    syntax: str
    pixels: int
    length: int | None


def read_head(path: Path) -> Head:
    """Read all of a file that stands before its pixels.

    Raises
    ------
    InputError
        It is damaged, has no pixels, or so much before them that it is no slide.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        data, limit = b"", _FIRST
        while True:
            data += file.read(limit - len(data))
            try:
                return _head(data, path.name)
            except (_CutOffError, struct.error):
                if len(data) >= size:
                    raise InputError(f"{path.name} ends before its pixels begin: copy it again.") from None
                if limit >= _MOST:
                    raise InputError(
                        f"{path.name} has more than {_MOST // 10**6} MB before its pixels, which no slide has: copy it "
                        "again."
                    ) from None
                limit = min(8 * limit, _MOST)


def _head(data: bytes, name: str) -> Head:
    if data[PREAMBLE : PREAMBLE + 4] != MAGIC:
        raise InputError(f"{name} is no DICOM file with a head of its own: export the slide again.")
    at, meta = PREAMBLE + 4, {}
    while data[at : at + 2] == b"\2\0":
        tag, length, start = _element(data, at, is_explicit=True)
        meta[tag] = (start, start + length)
        at = start + length
    syntax = Elements(data, meta, True).text(_SYNTAX)
    if syntax in (_DEFLATED, _BIG_ENDIAN):
        raise InputError(f"{name} is a deflated or big-endian DICOM slide, which is not read: export it otherwise.")
    is_explicit = syntax != _IMPLICIT
    places: dict[int, tuple[int, int]] = {}
    last = 0
    while True:
        tag, length, start = _element(data, at, is_explicit=is_explicit)
        if tag == _PIXELS:
            return Head(Elements(data, places, is_explicit), syntax, start, None if length == _UNDEFINED else length)
        if tag <= last or tag > _PIXELS:
            raise InputError(f"{name} is damaged, or has no pixels: copy it again.")
        last = tag
        stop = _end(data, start, is_explicit=is_explicit) if length == _UNDEFINED else start + length
        if stop > len(data):
            raise _CutOffError
        places[tag] = (start, stop)
        at = stop


def _pair(data: bytes, at: int) -> tuple[int, int]:
    """Return tag and 32 bits behind it."""
    group, element, length = struct.unpack_from("<HHI", data, at)
    return group << 16 | element, length


def _element(data: bytes, at: int, *, is_explicit: bool) -> tuple[int, int, int]:
    """Return an element's tag and length, and where its value begins."""
    tag, length = _pair(data, at)
    if not is_explicit or tag >> 16 == _ITEM >> 16:
        return tag, length, at + 8
    if data[at + 4 : at + 6] in _LONG:
        return tag, struct.unpack_from("<I", data, at + 8)[0], at + 12
    return tag, struct.unpack_from("<H", data, at + 6)[0], at + 8


def _end(data: bytes, at: int, *, is_explicit: bool) -> int:
    """Return where a sequence or an item ends that does not say its length, its mark of the end included."""
    depth = 1
    while depth:
        tag, length, start = _element(data, at, is_explicit=is_explicit)
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
            at = start
        elif length == _UNDEFINED:
            depth += 1
            at = start
        else:
            at = start + length
    return at


def _places(data: bytes, at: int, stop: int, is_explicit: bool) -> dict[int, tuple[int, int]]:
    """Return where the values of an item's elements lie."""
    found = {}
    while at + 8 <= stop:
        tag, length, start = _element(data, at, is_explicit=is_explicit)
        if tag == _ITEM_END:
            break
        end = _end(data, start, is_explicit=is_explicit) if length == _UNDEFINED else start + length
        found[tag] = (start, min(end, stop))
        at = end
    return found
