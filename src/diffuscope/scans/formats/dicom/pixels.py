"""The pixels of slices: stored numbers as the header declares them, no more, and the values that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.memory import free_memory
from diffuscope.scans.formats.dicom.codestreams import NAMES, decode
from diffuscope.scans.formats.dicom.files import name_of, read_elements
from diffuscope.scans.formats.dicom.header import printable
from diffuscope.scans.formats.dicom.slices import Slice

_PIXELS = 0x7FE00010
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NATIVE = ("", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", _BIG_ENDIAN)
# What a deflated file may hold besides its pixels.
_BESIDE = 16 * 2**20


def check_pixels(one: Slice) -> None:
    """Refuse a file whose pixels cannot be read, as far as can be told without reading them.

    Raises
    ------
    InputError
        It is compressed in a way that is not read, or shorter than its pixels.
    """
    syntax = one.stored.syntax
    if syntax not in _NATIVE and syntax not in NAMES:
        raise InputError(
            f"{one.path.name} is compressed as {name_of(printable(syntax))}, which is not read: decompress the series "
            "first, for instance with gdcmconv --raw."
        )
    if syntax in _NATIVE and not syntax.endswith(".99") and one.path.stat().st_size < _size(one):
        raise InputError(f"{one.path.name} is shorter than the pixels that its header declares: copy it again.")


def read_values(slices: Sequence[Slice], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values of a series, (z, y, x).

    Where a file marks that nothing was measured stands the lowest value of all that was, so that it is background.

    Parameters
    ----------
    slices : sequence of Slice
        In the order of their places.
    dtype : numpy.dtype
        From `diffuscope.scans.formats.dicom.values.value_dtype`.

    Raises
    ------
    InputError
        A file is damaged, cut off, or holds other pixels than its header declares; or the memory cannot hold all.
    """
    need, free = len(slices) * slices[0].shape[0] * slices[0].shape[1] * dtype.itemsize, free_memory()
    if free is not None and need > free:
        raise InputError(
            f"the series of {slices[0].path.name} needs {need / 1e9:.2g} GB of memory, and {free / 1e9:.2g} GB are "
            "free: close other programs, or open fewer slices."
        )
    out = np.empty((len(slices), *slices[0].shape), dtype)
    padded: dict[int, NDArray[np.bool_]] = {}
    lowest = np.inf
    for number, one in enumerate(slices):
        stored, empty = read_stored(one)
        slope, intercept = one.rescaling
        if (slope, intercept) == (1.0, 0.0):
            out[number] = stored
        elif dtype.kind == "f":
            out[number] = stored * slope + intercept
        else:
            out[number] = stored.astype(np.int64) * int(slope) + int(intercept)
        if empty is not None and empty.any():
            padded[number] = empty
        measured = out[number] if number not in padded else out[number][~padded[number]]
        lowest = min(lowest, float(measured.min())) if measured.size else lowest
    for number, empty in padded.items():
        # Nought that lies below all others is what MR has in its background anyway.
        low = out[number][empty] if np.isfinite(lowest) else np.zeros(1, dtype)
        if not np.isfinite(lowest) or (low.min() >= 0 and low.max() <= lowest):
            continue
        out[number][empty] = lowest
    return out


def read_stored(one: Slice) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the numbers that a file stores, (y, x), and where it marks that nothing was measured.

    Raises
    ------
    InputError
        As `read_values` does.
    """
    stored = one.stored
    elements, _ = read_elements(one.path, [_PIXELS], limit=_size(one) + _BESIDE)
    held = elements.get_item(_PIXELS).value if _PIXELS in elements else None
    if not isinstance(held, bytes) or not held:
        raise InputError(f"{one.path.name} holds no pixels: copy it again.")
    if stored.syntax in _NATIVE:
        raw = _native(one, held)
    else:
        raw = decode(one.path.name, stored.syntax, held, one.shape, stored.allocated)
    numbers = _numbers(raw, one)
    if stored.padding is None:
        return numbers, None
    low, high = stored.padding
    # Some mark it by bits beyond those that are the value.
    whole = raw.view(f"i{raw.itemsize}") if stored.is_signed else raw
    return numbers, ((numbers >= low) & (numbers <= high)) | ((whole >= low) & (whole <= high))


def _size(one: Slice) -> int:
    return one.shape[0] * one.shape[1] * one.stored.allocated // 8


def _native(one: Slice, held: bytes) -> NDArray[Any]:
    """Return pixels that are not compressed as unsigned numbers of all their bits."""
    size = _size(one)
    if not size <= len(held) <= size + size % 2:  # of bytes that are odd there is one more
        raise InputError(
            f"{one.path.name} holds {len(held)} bytes of pixels, where its header declares {size}: copy it again."
        )
    order = ">" if one.stored.syntax == _BIG_ENDIAN else "<"
    width = one.stored.allocated // 8
    if order == ">" and width == 1:  # two pixels a word, the second first
        held = np.frombuffer(held[: len(held) // 2 * 2], "<u2").byteswap().tobytes() + held[len(held) // 2 * 2 :]
    raw = np.frombuffer(held, f"{order}u{width}", one.shape[0] * one.shape[1])
    return raw.astype(f"u{width}", copy=False).reshape(one.shape)


def _numbers(raw: NDArray[Any], one: Slice) -> NDArray[Any]:
    """Return what the bits of pixels that are their value say; whatever lies in the others is no part of it."""
    stored, width = one.stored, one.stored.allocated
    left, right = width - 1 - stored.high, width - stored.bits
    # Up against the highest bit, so that the sign comes down with the value.
    up = np.left_shift(raw, raw.dtype.type(left)) if left else raw
    kind = np.dtype(f"{'i' if stored.is_signed else 'u'}{width // 8}")
    numbers: NDArray[Any] = up.view(kind)
    return np.right_shift(numbers, kind.type(right)) if right else numbers
