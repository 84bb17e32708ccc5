"""Pixels of a layer as they are when a job is asked for, whatever is painted or computed in the layer later."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError

# By the identity of what they are of; a copy goes with the last job that has it.
_copies: WeakValueDictionary[int, NDArray[Any]] = WeakValueDictionary()


def held(pixels: Any, name: str) -> Any:
    """Return pixels that nobody changes any more: of an array in memory a copy, of anything else itself.

    A copy takes the memory of the array until its job is over, and the time of copying that; jobs that are given the
    same pixels share one, such as those of several regions.

    Parameters
    ----------
    pixels : array-like
        One level of a layer; what our readers, zarr and HDF5 give reads from its file, which no layer changes.
    name : str
        Of the layer.

    Raises
    ------
    InputError
        There is no memory for a copy.
    """
    if isinstance(pixels, da.Array):
        return pixels.copy()  # of what is to be computed, not of px: an assignment changes the array itself
    if not isinstance(pixels, np.ndarray) or _is_fixed(pixels):
        return pixels
    kept = _copies.get(id(pixels))
    if kept is not None and _is_same(kept, pixels):
        return kept
    try:
        copy = pixels.copy(order="K")
    except MemoryError as error:
        raise InputError(
            f"“{name}” has {pixels.nbytes / 2**30:.1f} GiB, and there is no memory to keep it as it is now: save it as "
            "a file, and open that."
        ) from error
    _copies[id(pixels)] = copy
    return copy


def held_labels(pixels: Any, name: str) -> Any:
    """Return the labels of a layer as `held` does; those that another array gives are read: painting changes its file.

    Parameters
    ----------
    pixels, name
        As of `held`.
    """
    return held(pixels, name) if isinstance(pixels, np.ndarray | da.Array) else np.asarray(pixels)


def _is_fixed(array: NDArray[Any]) -> bool:
    """Whether nobody can write into an array, by another one of the same memory neither."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return True


def _is_same(kept: NDArray[Any], pixels: NDArray[Any]) -> bool:
    # row by row, so that nothing of the size of both is made; bytes, since no number is itself
    return (kept.shape, kept.dtype) == (pixels.shape, pixels.dtype) and all(
        one.tobytes() == other.tobytes() for one, other in zip(kept, pixels, strict=True)
    )
