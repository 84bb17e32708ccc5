"""How overlapping tiles are mixed: smooth separable weights that sum to one wherever a tile exists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray


def ramp(overlap: int) -> NDArray[np.float64]:
    """Return the rising weight of a tile over its overlap with the one before.

    sin² of a quarter turn: flat at both ends, and ``ramp + ramp[::-1] == 1``, so that the falling
    weight of the tile before is its complement.

    Parameters
    ----------
    overlap : int
        Length in px.

    Returns
    -------
    ndarray of float64 (overlap,)
        Values in (0, 1), rising.
    """
    return np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(overlap, 1)) ** 2


@lru_cache(maxsize=64)
def cell_weights(
    strides: tuple[int, ...], overlaps: tuple[int, ...], present: tuple[tuple[int, ...], ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the weights with which tiles are summed in one grid cell.

    Parameters
    ----------
    strides, overlaps : tuple of int
        Shape of a cell and overlap along each of its axes in px, overlap ≤ stride.
    present : tuple of tuple of int
        Which tiles exist, by how many cells they begin before this one along each axis: (0, 0) is the cell's
        own, (1, 0) the one above, (0, 1) the one to the left, (1, 1) both; of a volume (0, 0, 0) to (1, 1, 1).

    Returns
    -------
    weights : ndarray of float32 (len(present), *strides)
        Sum to 1 wherever `covered`, exactly 1 where one tile is alone; read-only.
    covered : ndarray of bool (*strides)
        Where at least one of the tiles reaches; read-only.
    """
    profiles = [_profiles(stride, overlap) for stride, overlap in zip(strides, overlaps, strict=True)]
    along = ([profile[d] for profile, d in zip(profiles, before, strict=True)] for before in present)
    raw = np.stack([reduce(np.multiply.outer, one) for one in along])
    total = raw.sum(axis=0)
    covered = total > 0
    weights = np.divide(raw, total, out=np.zeros_like(raw), where=covered).astype(np.float32)
    weights.flags.writeable = covered.flags.writeable = False
    return weights, covered


def _profiles(stride: int, overlap: int) -> Sequence[NDArray[np.float64]]:
    """Return the weight along one axis of the cell's own tile and of the tile before it."""
    own = np.ones(stride)
    own[:overlap] = ramp(overlap)
    before = np.zeros(stride)
    before[:overlap] = ramp(overlap)[::-1]
    return own, before
