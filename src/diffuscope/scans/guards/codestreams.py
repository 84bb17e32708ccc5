"""How many values a compressed picture unpacks to, by its own header: a tile of 256 px may hold one of 60,000."""

from __future__ import annotations

import re
import struct

#: TIFF's numbers of compressions whose output the caller bounds: none, LZW, Deflate, PackBits, LZMA, Zstandard.
BOUNDED = frozenset({1, 5, 8, 32946, 32773, 34925, 34926, 50000})
JPEG = frozenset({6, 7, 33007, 34892})
JPEG_2000 = frozenset({33003, 33004, 33005, 34712})
#: Of Aperio: YCbCr in JPEG 2000, whatever the file says of its colours.
APERIO_YCBCR = 33003
_WEBP, _JPEG_XR, _JPEG_XL = frozenset({34927, 50001}), frozenset({22610, 34934}), frozenset({50002, 52546})
#: Of pictures of their own in a tile.
PICTURES = JPEG | JPEG_2000 | _WEBP | _JPEG_XR | _JPEG_XL

# Of JPEG XL: width by height, where the header gives a number for it, and bits of a side by their selector.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIDE_BITS = (9, 13, 18, 30)

# JPEG markers that stand alone, and those that begin a frame: SOF0 to SOF15 without DHT, JPG and DAC.
_ALONE = {0x01, *range(0xD0, 0xD9)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def values_of(compression: int, data: bytes) -> int | None:
    """Return height × width × components of a picture in a tile; None where its header does not tell.

    Parameters
    ----------
    compression : int
        One of `PICTURES`.
    data : bytes
        Of the tile.
    """
    try:
        if compression in JPEG:
            frame = jpeg_frame(data)
            return None if frame is None else frame[1] * frame[2] * frame[3]
        if compression in JPEG_2000:
            size = jpeg_2000_size(data)
            return None if size is None else size[0] * size[1] * len(size[2])
        if compression in _JPEG_XL:
            return _jpeg_xl(data)
        return _webp(data) if compression in _WEBP else _jpeg_xr(data)
    except (struct.error, IndexError):
        return None


def jpeg_frame(data: bytes) -> tuple[int, int, int, int] | None:
    """Return bits, height, width and components of a JPEG; None where no frame begins in it."""
    at = data.find(b"\xff\xd8") + 2
    while 2 <= at < len(data) - 8:
        if data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == 0xFF:  # filling
            at += 1
        elif kind in _ALONE:
            at += 2
        elif kind in _FRAMES:
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            return bits, height, width, components
        elif kind in (0xD9, 0xDA):
            return None
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def jpeg_2000_size(data: bytes) -> tuple[int, int, tuple[tuple[int, int], ...]] | None:
    """Return height, width and the (y, x) steps of each component of a JPEG 2000; None where it has no such header."""
    at = data.find(b"\xff\x4f\xff\x51", 0, 65536)
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    (count,) = struct.unpack_from(">H", data, at + 40)
    steps = tuple(struct.unpack_from(">BB", data, at + 43 + 3 * i)[::-1] for i in range(count))
    return max(bottom - top, 0), max(right - left, 0), steps


def mixes_components(data: bytes) -> bool:
    """Whether a JPEG 2000 was made of RGB by its own transform, which its decoder undoes."""
    found = re.search(rb"\xff\x52..(?:.)(?:.)..(.)", data[:65536], re.DOTALL)
    return found is not None and found.group(1) == b"\1"


def _webp(data: bytes) -> int | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return width * height * 4


def _jpeg_xr(data: bytes) -> int | None:
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    sides = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, _, value = struct.unpack_from("<HHII", data, entry)
        sides[tag] = value & 0xFFFF if kind == 3 else value
    width, height = sides.get(0xBC80), sides.get(0xBC81)
    return None if width is None or height is None else width * height * 4


def _jpeg_xl(data: bytes) -> int | None:
    """Of a JPEG XL, as it is or in boxes: its header is bits, the lowest first."""
    at = 0
    for box, beside in ((b"jxlc", 0), (b"jxlp", 4)):
        if data[:2] != b"\xff\x0a" and (found := data.find(box, 0, 65536)) >= 0:
            at = found + 4 + beside
            break
    if data[at : at + 2] != b"\xff\x0a":
        return None
    bits = int.from_bytes(data[at + 2 : at + 14], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    in_eights = take(1)

    def side() -> int:
        return (take(5) + 1) * 8 if in_eights else take(_SIDE_BITS[take(2)]) + 1

    height, ratio = side(), take(3)
    above, below = _RATIOS.get(ratio, (0, 1))
    width = height * above // below if ratio else side()
    return width * height * 4
