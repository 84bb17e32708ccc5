"""Coarser levels of a canvas, made chunk by chunk from what is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.results.chunks import read_chunk, write_chunk
from diffuscope.results.layout import chunk_file
from diffuscope.tiling.boxes import CHUNK

#: Calls a function with each of some arguments, as `map` and an executor's `map` do.
Each = Callable[..., Iterable[Any]]


def halve(block: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the area mean over 2 x 2 px; a last odd row or column is averaged over what there is.

    Parameters
    ----------
    block : ndarray (…, h, w)
        uint8 or float32.

    Returns
    -------
    ndarray (…, ceil(h / 2), ceil(w / 2))
        Same dtype; integers are rounded to nearest, halves to even.
    """
    *others, height, width = block.shape
    # Repeating an odd last row gives it the weight of the missing one, which is the mean of what exists.
    odd = (*((0, 0) for _ in others), (0, height % 2), (0, width % 2))
    padded = np.pad(block, odd, mode="edge") if height % 2 or width % 2 else block
    even: NDArray[np.float32] = padded.astype(np.float32, copy=False)
    mean = even[..., ::2, ::2] + even[..., 1::2, ::2]
    mean += even[..., ::2, 1::2]
    mean += even[..., 1::2, 1::2]
    mean /= 4
    return (np.rint(mean) if np.issubdtype(block.dtype, np.integer) else mean).astype(block.dtype)


def update_pyramid(levels: Sequence[zarr.Array[Any]], changed: Iterable[tuple[int, ...]], each: Each = map) -> None:
    """Bring the coarser levels up to date with the finest; a volume's have as many slices as it.

    Parameters
    ----------
    levels : sequence of zarr.Array
        (c, y, x) or (c, z, y, x), finest first, each half as high and wide as the one before.
    changed : iterable of (…, cy, cx)
        Chunks of the finest level that were written since the last call.
    each : callable
        `map`, or that of an executor: the chunks of a level do not depend on each other.
    """
    parents = set(changed)
    for fine, coarse in pairwise(levels):
        parents = {(*cz, cy // 2, cx // 2) for *cz, cy, cx in parents}
        for _ in each(partial(_update_chunk, fine, coarse), sorted(parents)):
            pass


def _update_chunk(fine: zarr.Array[Any], coarse: zarr.Array[Any], chunk: tuple[int, ...]) -> None:
    """Make a chunk of a level from the at most four of the finer one below it."""
    *slices, cy, cx = chunk
    below = [(i, j, (*slices, 2 * cy + i, 2 * cx + j)) for i, j in product((0, 1), repeat=2)]
    if not any(chunk_file(fine, child).exists() for *_, child in below):
        return
    height, width = (min(2 * CHUNK, side - 2 * c * CHUNK) for side, c in zip(fine.shape[-2:], (cy, cx), strict=True))
    source = np.empty((*fine.chunks[:-2], height, width), fine.dtype)
    for i, j, child in below:
        part = source[..., i * CHUNK : (i + 1) * CHUNK, j * CHUNK : (j + 1) * CHUNK]
        if part.size:
            part[...] = read_chunk(fine, child)[..., : part.shape[-2], : part.shape[-1]]
    half = halve(source)
    box = (*slices, cy * CHUNK, cx * CHUNK, *(1 for _ in slices), *half.shape[-2:])
    write_chunk(coarse, chunk, [(box, half)])
