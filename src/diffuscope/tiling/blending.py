"""How overlapping tiles are mixed: smooth separable weights that sum to one wherever a tile exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from diffuscope.tiling.axis import Axis
from diffuscope.tiling.boxes import Box, box_slices
from diffuscope.tiling.computed import Computed
from diffuscope.tiling.plan import Tile


@dataclass(frozen=True, eq=False, kw_only=True)
class Blend:
    """A cell, and what it is composed from.

    Attributes
    ----------
    cell : tuple of int
        Its index.
    box : tuple of int
        (*starts, *lengths) of it on the canvas.
    tiles : tuple of Tile
        The finished tiles that reach into it, in tile order.
    fresh : mapping of tuple of int to Computed
        By index, those tiles that are at hand; the others are kept on disk.
    """

    cell: tuple[int, ...]
    box: Box
    tiles: tuple[Tile, ...]
    fresh: Mapping[tuple[int, ...], Computed]


def part_of(axes: Sequence[Axis], tile: Tile, cell: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the slices of a tile that lie in a cell: its first `stride` px, or in the cells after it its overlap."""
    before = [i - j for i, j in zip(cell, tile.index, strict=True)]
    return box_slices((*(d * axis.stride for d, axis in zip(before, axes, strict=True)), *_reach(axes, before)))


def blend(
    axes: Sequence[Axis], one: Blend, parts: Sequence[Sequence[NDArray[np.float32]]]
) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Return the weighted sum of the tiles' parts over a cell.

    Parameters
    ----------
    axes : sequence of Axis
        The grid.
    one : Blend
        The cell.
    parts : sequence of sequence of ndarray (c, …)
        For each of its tiles, for each image, the pixels that `part_of` cuts out.

    Returns
    -------
    totals : list of ndarray of float32 (c, *strides)
        For each image.
    covered : ndarray of bool (*strides)
        Where at least one of the tiles reaches.
    """
    strides, overlaps = tuple(axis.stride for axis in axes), tuple(axis.overlap for axis in axes)
    # By how many cells each tile begins before this one, along each axis.
    before = tuple(tuple(i - j for i, j in zip(one.cell, tile.index, strict=True)) for tile in one.tiles)
    weights, covered = cell_weights(strides, overlaps, before)
    totals = [np.zeros((len(part), *strides), np.float32) for part in parts[0]]
    for offset, weight, of_tile in zip(before, weights, parts, strict=True):
        here = box_slices((*(0 for _ in strides), *_reach(axes, offset)))
        for total, part in zip(totals, of_tile, strict=True):
            total[:, *here] += weight[here] * part
    return totals, covered


def _reach(axes: Sequence[Axis], before: Sequence[int]) -> list[int]:
    """Return how far a tile reaches into a cell; into one that it begins before, by the overlap only."""
    return [axis.overlap if d else axis.stride for d, axis in zip(before, axes, strict=True)]


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
