"""Images of a volume's result as napari slices them."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.plugin.layers.level import span_of, whole_index
from diffuscope.results.coverage import Coverage, Watched

_ONES = (1, 1, 1)


class VolumeLevel:
    """The finest level of one image of a volume's result, read from disk slice by slice.

    Nothing is kept, so that a volume that fills is always seen as it is. Not a dask array: napari would keep those.

    Parameters
    ----------
    array : zarr.Array
        (1, z, y, x) on disk.
    coverage : Coverage, optional
        Which voxels were computed, of whatever value: of floats the others are NaN, which napari does not draw.

    Attributes
    ----------
    shape, chunks : tuple of int
        (z, y, x).
    dtype : numpy.dtype
        As stored.
    """

    ndim = 3

    def __init__(self, array: zarr.Array[Any], coverage: Coverage | None = None) -> None:
        self.shape: tuple[int, ...] = array.shape[1:]
        self.chunks: tuple[int, ...] = array.chunks[1:]
        self.dtype = np.dtype(array.dtype)
        self._array = array
        # whole numbers have no NaN
        self._watched = Watched(coverage) if coverage is not None and self.dtype.kind == "f" else None

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[np.generic]:
        """Read a part: whole numbers and slices, as of any array."""
        parts = whole_index(key, self.ndim)
        values = np.array(self._array[(0, *parts)])
        if self._watched is None:
            return values
        covered, whole = self._watched.now(), [range(side) for side in self.shape[1:]]
        (z, _), *sides = (span_of(part, side) for part, side in zip(parts, self.shape, strict=True))
        spans, inside = [span for span, _ in sides], tuple(part for _, part in sides)
        is_one = not isinstance(parts[0], slice)
        # a slice at a time, since a mask takes more room than what it hides
        for number, at in enumerate(z if is_one else range(self.shape[0])[parts[0]]):
            if not covered.is_whole([range(at, at + 1), *whole], _ONES):
                seen = covered.mask([range(at, at + 1), *spans], _ONES)[(0, *inside)]
                there = () if is_one else (number,)
                values[there] = np.where(seen, values[there], np.nan)
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """Read all of it."""
        return np.asarray(self[:], dtype=dtype)

    def renew(self) -> None:
        """Do nothing: what is read next is read from disk."""
