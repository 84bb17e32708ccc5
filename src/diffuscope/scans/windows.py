"""Windows spread evenly over a slide's foreground, from which statistics of the whole slide are taken."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.mask import Foreground
from diffuscope.scans.region import read_region

if TYPE_CHECKING:
    from diffuscope.scans.scan import Scan

# A slide is sampled by so many windows of this side at the model's resolution (4 million px).
_WINDOWS, _SIDE = 64, 256


def foreground_windows(
    scan: Scan, mask: Foreground, *, factor: float, fill: float, number: int = _WINDOWS
) -> Iterator[tuple[NDArray[np.generic], NDArray[np.bool_]]]:
    """Yield windows at the model's resolution, and which of their pixels are foreground.

    Not from a coarse level: its means would have lost what is small. The same slide gives the same windows always,
    whatever part of it is computed. A window that cannot be read is left out, as the tiles there are.

    Parameters
    ----------
    scan : Scan
        What is read.
    mask : Foreground
        Its foreground.
    factor : float
        Level-0 px per px of the model.
    fill : float
        Value of pixels that lie wholly outside the slide.
    number : int
        Windows, at most.

    Yields
    ------
    pixels : ndarray of shape (h, w, c)
        At most 256 × 256 px, the scan's dtype; smaller at the far edges.
    inside : ndarray of shape (h, w)
        bool.
    """
    side = _SIDE * factor
    corners = [
        (y, x)
        for y in range(ceil(scan.shape[0] / side))
        for x in range(ceil(scan.shape[1] / side))
        if mask.any_in(y * side, x * side, side, side)
    ]
    step = max(1, ceil(len(corners) / number))
    for y, x in corners[step // 2 :: step]:
        height = min(_SIDE, ceil(scan.shape[0] / factor) - y * _SIDE)
        width = min(_SIDE, ceil(scan.shape[1] / factor) - x * _SIDE)
        if height < 1 or width < 1:
            continue
        try:
            pixels = read_region(scan, y=y * _SIDE, x=x * _SIDE, height=height, width=width, factor=factor, fill=fill)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S112  a damaged file makes every decoder fail in a way of its own
            continue
        rows = _index((np.arange(height) + y * _SIDE + 0.5) * factor, mask, 0)
        columns = _index((np.arange(width) + x * _SIDE + 0.5) * factor, mask, 1)
        yield pixels, mask.mask[np.ix_(rows, columns)]


def _index(centres: NDArray[np.floating], mask: Foreground, axis: int) -> NDArray[np.intp]:
    return np.clip((centres / mask.downsample).astype(np.intp), 0, mask.mask.shape[axis] - 1)
