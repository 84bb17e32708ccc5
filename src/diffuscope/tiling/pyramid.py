"""Coarser levels of a canvas, made chunk by chunk from what is on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.tiling.layout import CHUNK, chunk_file


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
    even = np.pad(block, (*((0, 0) for _ in others), (0, height % 2), (0, width % 2)), mode="edge").astype(np.float32)
    mean = (even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 4
    return (np.rint(mean) if np.issubdtype(block.dtype, np.integer) else mean).astype(block.dtype)


def update_pyramid(levels: Sequence[zarr.Array[Any]], changed: Iterable[tuple[int, ...]]) -> None:
    """Bring the coarser levels up to date with the finest; a volume's have as many slices as it.

    Parameters
    ----------
    levels : sequence of zarr.Array
        (c, y, x) or (c, z, y, x), finest first, each half as high and wide as the one before.
    changed : iterable of (…, cy, cx)
        Chunks of the finest level that were written since the last call.
    """
    parents = set(changed)
    for fine, coarse in pairwise(levels):
        parents = {(*cz, cy // 2, cx // 2) for *cz, cy, cx in parents}
        for *cz, cy, cx in sorted(parents):
            if any(chunk_file(fine, (*cz, 2 * cy + i, 2 * cx + j)).exists() for i in (0, 1) for j in (0, 1)):
                y, x = cy * CHUNK, cx * CHUNK
                before = (slice(None), *(slice(z, z + 1) for z in cz))  # a chunk is one slice thick
                source = np.asarray(fine[*before, 2 * y : 2 * (y + CHUNK), 2 * x : 2 * (x + CHUNK)])
                coarse[*before, y : y + CHUNK, x : x + CHUNK] = halve(source)
