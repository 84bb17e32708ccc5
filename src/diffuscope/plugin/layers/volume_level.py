"""Images of a volume's result as napari slices them."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray


class VolumeLevel:
    """The finest level of one image of a volume's result, read from disk slice by slice.

    Nothing is kept, so that a volume that fills is always seen as it is. Not a dask array: napari would keep those.

    Parameters
    ----------
    array : zarr.Array
        (1, z, y, x) on disk.

    Attributes
    ----------
    shape, chunks : tuple of int
        (z, y, x).
    dtype : numpy.dtype
        As stored.
    """

    ndim = 3

    def __init__(self, array: zarr.Array[Any]) -> None:
        self.shape: tuple[int, ...] = array.shape[1:]
        self.chunks: tuple[int, ...] = array.chunks[1:]
        self.dtype = np.dtype(array.dtype)
        self._array = array

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[np.generic]:
        """Read a part: whole numbers and slices, as of any array."""
        return np.asarray(self._array[(0, *(key if isinstance(key, tuple) else (key,)))])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """Read all of it."""
        return np.asarray(self[:], dtype=dtype)

    def renew(self) -> None:
        """Do nothing: what is read next is read from disk."""
