"""How large a compressed chunk becomes: by its own header, or by unpacking it no further than it may be."""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Callable
from typing import Any

#: Names of codecs that compress, of zarr 2 and, without their prefix, of zarr 3.
COMPRESSORS = frozenset({"blosc", "zstd", "gzip", "zlib", "lz4", "bz2"})
#: Of those that change no size or at most by eight times. Others may do anything: one of them runs what a chunk says.
PLAIN = frozenset({"bytes", "transpose", "crc32c", "shuffle", "delta", "bitround", "fixedscaleoffset", "quantize"})


def fits(codec: str, data: bytes, most: int) -> bool:
    """Whether what a codec makes of some bytes is at most so long.

    Parameters
    ----------
    codec : str
        One of `COMPRESSORS`.
    data : bytes
        Of a chunk.
    most : int
        Bytes.
    """
    try:
        return _LENGTHS[codec](data, most) <= most
    except (struct.error, zlib.error, OSError, EOFError, ValueError):
        return True  # it is damaged, which its decoder will say


def _blosc(data: bytes, _: int) -> int:
    return int(struct.unpack_from("<I", data, 4)[0])


def _lz4(data: bytes, _: int) -> int:
    return int(struct.unpack_from("<I", data)[0])


def _zstd(data: bytes, most: int) -> int:
    magic, flags = struct.unpack_from("<IB", data)
    if magic != 0xFD2FB528:
        return 0
    alone = flags >> 5 & 1
    width = (alone, 2, 4, 8)[flags >> 6]
    if not width:  # the frame does not say
        return _unpacked_zstd(data, most)
    at = 5 + (not alone) + (0, 1, 2, 4)[flags & 3]
    length = int.from_bytes(data[at : at + width], "little")
    return length + 256 if width == 2 else length


def _unpacked_zstd(data: bytes, most: int) -> int:
    from imagecodecs import ZstdError, zstd_decode

    try:
        return len(zstd_decode(data, out=most))
    except ZstdError:
        return most + 1  # too long, or damaged: no more than that could be told


def _stepwise(make: Callable[[], Any]) -> Callable[[bytes, int], int]:
    """Return what unpacks one member after the other until it is too long."""

    def length(data: bytes, most: int) -> int:
        total = 0
        while data and total <= most:
            member = make()
            part = member.decompress(data, most + 1 - total)
            total += len(part)
            if not member.unused_data or not part:
                break
            data = member.unused_data
        return total

    return length


_LENGTHS: dict[str, Callable[[bytes, int], int]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    # 32 more than the widest window: with the head of zlib or of gzip, as it comes.
    "gzip": _stepwise(lambda: zlib.decompressobj(47)),
    "zlib": _stepwise(lambda: zlib.decompressobj(47)),
    "bz2": _stepwise(bz2.BZ2Decompressor),
}
