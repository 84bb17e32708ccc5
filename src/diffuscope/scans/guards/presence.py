"""Which chunks of a zarr array have a file: to the format what is not there is empty, whether it was lost or not."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

# Entries of folders that are looked at, and chunks of which a map is made: as much as fits a fraction of a second.
_ENTRIES, _MAP = 50_000, 2**24


def stored_chunks(array: zarr.Array[Any], folder: Path) -> NDArray[np.bool_] | None:
    """Return which chunks, or shards of them, have a file; None where there are too many to look.

    Parameters
    ----------
    array : zarr.Array
    folder : Path
        Of it.

    Returns
    -------
    ndarray of bool or None
        One for each, along the axes of the array.
    """
    sides = array.shards or array.chunks
    grid = tuple(-(-side // step) for side, step in zip(array.shape, sides, strict=True))
    if prod(grid) > _MAP:
        return None
    found = np.zeros(grid, bool)
    left = _ENTRIES
    # Depth first, by a list of what is still to be looked at: names are numbers, joined by dots or by folders.
    todo: list[tuple[Path, tuple[int, ...]]] = [(folder, ())]
    while todo:
        place, start = todo.pop()
        try:
            entries = os.scandir(place)
        except OSError:
            continue
        with entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    return None
                if not start and entry.name == "c" and entry.is_dir(follow_symlinks=False):
                    todo.append((Path(entry.path), ()))
                    continue
                numbers = entry.name.removeprefix("c.").split(".")
                if not all(number.isdecimal() and len(number) < 10 for number in numbers):
                    continue
                key = (*start, *map(int, numbers))
                if len(key) == len(grid) and all(number < side for number, side in zip(key, grid, strict=True)):
                    found[key] = True
                elif len(key) < len(grid):
                    todo.append((Path(entry.path), key))
    return found
