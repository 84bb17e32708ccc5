"""TIFF files byte by byte, for what no library writes: odd tags, claims, loops."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

#: Code, TIFF's number of a type, count, the value's bytes.
Tag = tuple[int, int, int, bytes]


def short(code: int, *values: int) -> Tag:
    """Return a tag of 16-bit numbers."""
    return code, 3, len(values), struct.pack(f"<{len(values)}H", *values)


def long(code: int, *values: int) -> Tag:
    """Return a tag of 32-bit numbers."""
    return code, 4, len(values), struct.pack(f"<{len(values)}I", *values)


def fractions(code: int, *pairs: int) -> Tag:
    """Return a tag of rational numbers, above and below each."""
    return code, 5, len(pairs) // 2, struct.pack(f"<{len(pairs)}I", *pairs)


def write_tiff(path: Path, tags: Iterable[Tag], data: bytes = b"", *, following: int = 0) -> None:
    """Write `data` from byte 8 on, then one directory; `following` is where the next one is said to lie."""
    listed = sorted(tags)
    place = 8 + len(data)
    after = place + 2 + 12 * len(listed) + 4
    directory, held = struct.pack("<H", len(listed)), b""
    for code, kind, count, value in listed:
        stored = value
        if len(value) > 4:
            stored, held = struct.pack("<I", after + len(held)), held + value
        directory += struct.pack("<HHI", code, kind, count) + stored.ljust(4, b"\0")
    path.write_bytes(b"II*\0" + struct.pack("<I", place) + data + directory + struct.pack("<I", following) + held)


def image_tags(
    width: int, height: int, *, samples: int = 3, compression: int = 1, photometric: int = 2, tile: int = 0
) -> list[Tag]:
    """Return the tags that say what an image of 8 bits is; in tiles of `tile` px, or one strip."""
    about = [long(256, width), long(257, height), short(258, *[8] * samples), short(259, compression)]
    about += [short(262, photometric), short(277, samples)]
    return about + ([short(322, tile), short(323, tile)] if tile else [long(278, height)])


def places(starts: Iterable[int], counts: Iterable[int], *, tiles: bool = False) -> list[Tag]:
    """Return the tags that say where strips or tiles lie, bytes."""
    codes = (324, 325) if tiles else (273, 279)
    return [long(codes[0], *starts), long(codes[1], *counts)]
