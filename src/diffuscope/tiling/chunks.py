"""Boxes of a canvas's finest level, written chunk by chunk as files.

The chunks are zarr v2's, and zarr reads them; but its way through an event loop costs more than coding a chunk does.
A cell of a drawn region lies in four chunks, each of which is read and written again: 8.7 ms of a core by zarr for one
image of 256² px float32, a third of that here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.tiling.boxes import Box, chunks, halves
from diffuscope.tiling.layout import chunk_file


def write_box(array: zarr.Array[Any], box: Box, block: NDArray[np.generic]) -> None:
    """Write a box of an array; each chunk takes its new content at once, or keeps the old one.

    Parameters
    ----------
    array : zarr.Array
        zarr v2, of one compressor and no filters, in a folder: (c, …) with one chunk along c.
    box : tuple of int
        (*starts, *lengths) along the axes after the first, inside the array.
    block : ndarray (c, …)
        What to write, of the array's dtype.

    Raises
    ------
    OSError
        The disk is full.
    """
    starts, lengths = halves(box)
    sides = array.chunks[1:]
    for chunk in chunks(box):
        first = [i * side for i, side in zip(chunk, sides, strict=True)]
        begin = [max(start, at) for start, at in zip(starts, first, strict=True)]
        end = [min(s + n, at + side) for s, n, at, side in zip(starts, lengths, first, sides, strict=True)]
        file = chunk_file(array, chunk)
        # Beyond the array's end a chunk holds the fill value, as zarr's do.
        content = _read(array, file)
        content[:, *_cut(begin, end, first)] = block[:, *_cut(begin, end, starts)]
        _write(array, file, content)


def _cut(begin: Sequence[int], end: Sequence[int], origin: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(b - o, e - o) for b, e, o in zip(begin, end, origin, strict=True))


def _read(array: zarr.Array[Any], file: Path) -> NDArray[np.generic]:
    """Return a chunk's content, the fill value where it has no file."""
    try:
        coded = file.read_bytes()
    except FileNotFoundError:
        return np.full(array.chunks, array.fill_value, array.dtype)
    content: NDArray[np.generic] = np.empty(array.chunks, array.dtype)
    _codec(array).decode(coded, out=content)
    return content


def _write(array: zarr.Array[Any], file: Path, content: NDArray[np.generic]) -> None:
    """Put a chunk's content in the place of the old one; one of only the fill value has no file."""
    if np.array_equal(content, np.broadcast_to(array.fill_value, content.shape), equal_nan=True):
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(_codec(array).encode(content))
    part.replace(file)


def _codec(array: zarr.Array[Any]) -> Any:
    return array.metadata.compressor  # type: ignore[union-attr]
