"""Levels of a slide as napari slices them."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.plugin.layers.level import Windowed
from diffuscope.scans.scan import Scan
from diffuscope.scans.source import Cache, Source, paste

#: Pixels of a slide that are kept, bytes.
_KEPT = 256 * 2**20


class ScanLevel(Windowed):
    """One resolution level of a slide, read from its file a piece at a time; pieces that were read are kept.

    Not a dask array: to cut a window out of one takes longer the larger the slide is, and its threads wait for a core
    while a job is at work, with the window.

    Parameters
    ----------
    source : Source
        What it reads from.
    cache : Cache
        Where pieces are kept.
    is_flat : bool
        Whether it has one channel and no axis for it.

    Attributes
    ----------
    shape, chunks : tuple of int
        (y, x, c), or (y, x); those of a piece.
    dtype : numpy.dtype
        Of a pixel's values.
    """

    def __init__(self, source: Source, cache: Cache, *, is_flat: bool) -> None:
        channels = () if is_flat else source.shape[2:]
        self.shape: tuple[int, ...] = (*source.shape[:2], *channels)
        self.chunks: tuple[int, ...] = (*source.chunks, *channels)
        self.dtype = source.dtype
        self._source, self._cache, self._is_flat = source, cache, is_flat

    def _window(self, rows: range, columns: range) -> NDArray[np.generic]:
        out = np.empty((len(rows), len(columns), *self.shape[2:]), self.dtype)
        for top, left in product(*map(_pieces, (rows, columns), self.chunks[:2])):
            piece = self._cache.get((id(self), top, left), partial(self._read, top, left))
            paste(out, piece, top - rows.start, left - columns.start)
        return out

    def _read(self, top: int, left: int) -> NDArray[np.generic]:
        (height, width), (rows, columns) = self.chunks[:2], self.shape[:2]
        piece = self._source.read(top, min(top + height, rows), left, min(left + width, columns))
        return piece[..., 0] if self._is_flat else piece


def scan_levels(scan: Scan) -> list[list[Any]]:
    """Return the levels of each layer of a slide, finest first: of colour one, else one a channel."""
    cache = Cache(_KEPT)
    if scan.rgb:
        return [[ScanLevel(source, cache, is_flat=False) for source in scan.sources]]
    return [
        [ScanLevel(source.channel(number, cache), cache, is_flat=True) for source in scan.sources]
        for number in range(len(scan.channels))
    ]


def _pieces(of: range, side: int) -> range:
    """Return where the pieces begin that some rows or columns touch."""
    return range(of.start // side * side, of.stop, side) if len(of) else range(0)
