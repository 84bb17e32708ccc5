"""Chunks of a result's images, read and written as files.

The chunks are zarr v2's, and zarr reads them; but its way through an event loop costs more than coding a chunk does.
A cell of a drawn region lies in four chunks, each of which is read and written again: 8.7 ms of a core by zarr for one
image of 256² px float32, a third of that here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.durable import replacing
from diffuscope.files.links import read_inside
from diffuscope.results.layout import chunk_file
from diffuscope.results.ledger import NOTHING, checksum
from diffuscope.tiling.boxes import Box, chunks, halves

#: A box, (*starts, *lengths) along the axes after the first, and what belongs there, (c, …) of the array's dtype.
Patch = tuple[Box, NDArray[np.generic]]
# Bytes that a coder adds to what it cannot make smaller.
_CODED = 1024


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
    for chunk in chunks(box):
        write_chunk(array, chunk, [(box, block)])


def write_chunk(
    array: zarr.Array[Any],
    chunk: tuple[int, ...],
    patches: Sequence[Patch],
    *,
    durable: bool = False,
    intend: Callable[[int], None] = lambda _: None,
) -> None:
    """Write those parts of boxes that lie in one chunk, which takes its new content at once, or keeps the old one.

    Parameters
    ----------
    array : zarr.Array
        As in `write_box`.
    chunk : tuple of int
        (…, cy, cx).
    patches : sequence of (box, block)
        Each as in `write_box`; of several that meet the last one counts.
    durable : bool
        Whether the content is on disk when this returns; its name may still be on the way there.
    intend : callable
        Gets the checksum of what is to stand there, before it does.

    Raises
    ------
    OSError
        The disk is full.
    """
    sides = array.chunks[1:]
    first = [i * side for i, side in zip(chunk, sides, strict=True)]
    last = [min(at + side, size) for at, side, size in zip(first, sides, array.shape[1:], strict=True)]
    # Beyond the array's end a chunk holds the fill value, as zarr's do.
    replaced = any(_covers(box, first, last) for box, _ in patches)
    content = _empty(array) if replaced else read_chunk(array, chunk)
    for box, block in patches:
        starts, lengths = halves(box)
        begin = [max(start, at) for start, at in zip(starts, first, strict=True)]
        end = [min(s + n, at) for s, n, at in zip(starts, lengths, last, strict=True)]
        content[:, *_cut(begin, end, first)] = block[:, *_cut(begin, end, starts)]
    file = chunk_file(array, chunk)
    if _is_empty(content, array.fill_value):
        intend(NOTHING)
        file.unlink(missing_ok=True)
        return
    coded = bytes(_codec(array).encode(content))
    intend(checksum(coded))
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file, sync=durable) as opened:
        opened.write(coded)


def read_chunk(array: zarr.Array[Any], chunk: tuple[int, ...]) -> NDArray[np.generic]:
    """Return a chunk's content, (c, …) of its full size; the fill value where it has no file.

    Raises
    ------
    InputError
        It is damaged, or lies outside of its folder.
    """
    file = chunk_file(array, chunk)
    root = Path(array.store.root)  # type: ignore[attr-defined]
    content: NDArray[np.generic] = np.empty(array.chunks, array.dtype)
    try:
        coded = read_inside(file, root, most=content.nbytes + _CODED)
    except FileNotFoundError:
        return _empty(array)
    # As the coder's head says it: the coder itself takes less than a chunk for one, and more than there is for granted.
    sizes = [int.from_bytes(coded[at : at + 4], "little") for at in (4, 12)]
    damaged = InputError(f"{root.name} is damaged: {file.relative_to(root)} cannot be read; run it again.")
    if sizes != [content.nbytes, len(coded)]:
        raise damaged
    try:
        _codec(array).decode(coded, out=content)
    except (RuntimeError, ValueError, TypeError) as error:
        raise damaged from error
    return content


def read_box(array: zarr.Array[Any], box: Box) -> NDArray[np.generic]:
    """Return a box of an array (see `write_box`), (c, …)."""
    starts, lengths = halves(box)
    block = np.empty((array.shape[0], *lengths), array.dtype)
    for chunk in chunks(box):
        first = [i * side for i, side in zip(chunk, array.chunks[1:], strict=True)]
        begin = [max(start, at) for start, at in zip(starts, first, strict=True)]
        end = [min(s + n, at + side) for s, n, at, side in zip(starts, lengths, first, array.chunks[1:], strict=True)]
        block[:, *_cut(begin, end, starts)] = read_chunk(array, chunk)[:, *_cut(begin, end, first)]
    return block


def _empty(array: zarr.Array[Any]) -> NDArray[np.generic]:
    return np.full(array.chunks, array.fill_value, array.dtype)


def _covers(box: Box, first: Sequence[int], last: Sequence[int]) -> bool:
    starts, lengths = halves(box)
    return all(s <= a and s + n >= b for s, n, a, b in zip(starts, lengths, first, last, strict=True))


def _is_empty(content: NDArray[np.generic], fill: Any) -> bool:
    """Whether there is only the fill value; nearly always its first value tells that there is more."""
    filled = np.asarray(fill, content.dtype)
    return np.array_equal(content.flat[0], filled, equal_nan=True) and np.array_equal(
        content, np.broadcast_to(filled, content.shape), equal_nan=True
    )


def _cut(begin: Sequence[int], end: Sequence[int], origin: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(b - o, e - o) for b, e, o in zip(begin, end, origin, strict=True))


def _codec(array: zarr.Array[Any]) -> Any:
    return array.metadata.compressor  # type: ignore[union-attr]
