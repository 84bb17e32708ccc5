"""Whether tiles show in an image: steps across their borders, and texture where they overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from diffuscope.tiling.region import Region


def zones(start: int, size: int, tile: int, overlap: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, along one axis of the region, which steps cross a border, and which px lie in an overlap."""
    stride = tile - overlap
    place = np.arange(start, start + size)
    overlapped = (place % stride < overlap) & (place >= stride)
    step = place[1:]
    border = (step % stride == 0) | ((step % stride == overlap) & (step > stride))
    return border, overlapped


def border_ratio(image: NDArray[np.float64], tile: int, overlap: int, region: Region) -> float:
    """Return the mean step across borders over the mean step inside, rows and columns.

    Inside are the steps 8, 16 and 24 px to either side of each border. Nearby, because a region has few borders, and
    what happens to lie there (a gland's edge, a gap) must not count. By eights, because borders fall on the edges of
    the slide's JPEG blocks, where the H&E itself steps a sixth more than elsewhere.
    """
    across, inside = [], []
    for axis, start in ((0, region.y), (1, region.x)):
        border, _ = zones(start, image.shape[axis], tile, overlap)
        steps = np.abs(np.diff(image, axis=axis)).mean(axis=(1 - axis, 2))
        for at in np.flatnonzero(border):
            near = at + 8 * np.array([-3, -2, -1, 1, 2, 3])
            across.append(steps[at])
            inside.append(steps[near[(near >= 0) & (near < len(steps))]].mean())
    return float(np.mean(across) / np.mean(inside))


def texture_ratio(image: NDArray[np.float64], tile: int, overlap: int, region: Region) -> float:
    """Return the mean local variance (5 x 5 px) where tiles overlap over that where they do not."""
    grey = image.mean(axis=-1)
    variance = uniform_filter(grey**2, 5) - uniform_filter(grey, 5) ** 2
    rows, columns = (
        zones(start, n, tile, overlap)[1] for start, n in zip((region.y, region.x), grey.shape, strict=True)
    )
    overlapped = rows[:, None] | columns[None, :]
    return float(variance[overlapped].mean() / variance[~overlapped].mean())
