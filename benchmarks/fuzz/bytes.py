"""Mutations of bytes: what a disk, a network, or someone who knows the format does to a file."""

from __future__ import annotations

import re
import struct
from random import Random

#: Numbers at which programs break, as texts write them.
NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "255", "256", "65535", "65536", "32767", "-32768", "2147483647", "2147483648"),
    *("-2147483648", "4294967295", "4294967296", "9223372036854775807", "-9223372036854775808", "99999999999999999999"),
    *("1000000000", "40000", "1e308", "-1e308", "1e-308", "1e400", "0.0", "-0.0", "nan", "inf", "-inf", "0.5", "1e9"),
)
_INTEGERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 40000, 10**9)
_WIDE = (*_INTEGERS, 2**63 - 1, 2**63, 2**64 - 1, 2**40)
_DIGITS = re.compile(rb"-?\d+(?:\.\d+)?")
# Headers stand at the beginning, or, of TIFF, often at the end.
_HEAD = 1024


def mutate(data: bytes, rng: Random) -> bytes:
    """Return the bytes with one to four mutations, none of which may change nothing."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        data = rng.choice(_KINDS)(data, rng)
    return data


def _place(data: bytes, rng: Random) -> int:
    if not data:
        return 0
    where = rng.random()
    if where < 0.6:
        return rng.randrange(min(_HEAD, len(data)))
    if where < 0.8:
        return max(0, len(data) - 1 - rng.randrange(min(_HEAD, len(data))))
    return rng.randrange(len(data))


def _truncate(data: bytes, rng: Random) -> bytes:
    return data[: rng.choice((_place(data, rng), len(data) // 2, max(0, len(data) - 1)))]


def _behead(data: bytes, rng: Random) -> bytes:
    return data[min(_place(data, rng), 64) :]


def _flip(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 32)) if data else 0):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: Random) -> bytes:
    code, numbers = rng.choice((("B", _INTEGERS), ("H", _INTEGERS), ("I", _INTEGERS), ("Q", _WIDE)))
    width = struct.calcsize(code)
    number = rng.choice(numbers) % 256**width
    word = struct.pack(rng.choice("<>") + code, number)
    at = _place(data, rng) // width * width
    return data[:at] + word + data[at + width :]


def _floats(data: bytes, rng: Random) -> bytes:
    code = rng.choice(("<f", "<d", ">f", ">d"))
    word = struct.pack(code, rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e30, 1e-30)))
    at = _place(data, rng) // len(word) * len(word)
    return data[:at] + word + data[at + len(word) :]


def _splice(data: bytes, rng: Random) -> bytes:
    start, at, length = _place(data, rng), _place(data, rng), rng.choice((4, 12, 64, 512))
    return data[:at] + data[start : start + length] + data[at + length * rng.randrange(2) :]


def _drop(data: bytes, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 4, 12, 100)) :]


def _blank(data: bytes, rng: Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 4, 12, 256))
    return data[:at] + rng.choice((b"\0", b"\xff", b" ")) * length + data[at + length :]


def _append(data: bytes, rng: Random) -> bytes:
    return data + rng.choice((b"\0", rng.randbytes(64), data))


def _number(data: bytes, rng: Random) -> bytes:
    """Put another number in place of one that is written in digits: in headers of text, and XML."""
    found = list(_DIGITS.finditer(data))
    if not found:
        return _flip(data, rng)
    one = rng.choice(found[:40] if rng.random() < 0.5 else found)
    return data[: one.start()] + rng.choice(NUMBERS).encode() + data[one.end() :]


def _word(data: bytes, rng: Random) -> bytes:
    """Put one word of a text in place of another, or break its encoding."""
    found = list(re.finditer(rb"[A-Za-z]{3,}", data))
    if not found:
        return _drop(data, rng)
    one, other = rng.choice(found), rng.choice(found)
    word = rng.choice((other.group(), b"", b"\xe4\xf6", b"\0", b"%s{}", b"A" * 5000, b"../../../etc/hostname"))
    return data[: one.start()] + word + data[one.end() :]


_KINDS = (
    *(_truncate, _behead, _flip, _flip, _overwrite, _overwrite, _overwrite, _floats, _splice, _drop, _blank, _append),
    *(_number, _number, _word),
)
