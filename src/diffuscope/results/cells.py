"""Cells of the grid: which tiles each is composed from, and the pixels that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.results.cache import CachedParts, Cell
from diffuscope.results.computed import Computed
from diffuscope.tiling.axis import Axis
from diffuscope.tiling.blending import cell_weights
from diffuscope.tiling.boxes import Box, box_slices, halves
from diffuscope.tiling.plan import Plan, Tile

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster


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


class Cells:
    """The cells of a plan.

    Parameters
    ----------
    plan : Plan
        The grid and the tiles that are computed.
    ports : sequence of Raster
        Images, in the order in which a tile's parts are kept.
    cached : CachedParts
        Parts of finished tiles.
    """

    def __init__(self, plan: Plan, ports: Sequence[Raster], cached: CachedParts) -> None:
        self._plan, self._ports, self._cached = plan, ports, cached

    def of(self, tile: Tile) -> list[Cell]:
        """Return the cells that a tile reaches into, without those outside the canvas."""
        return [cell for cell in self._plan.cells(tile) if all(halves(self._plan.cell_box(cell))[1])]

    def box(self, cell: Cell) -> Box:
        """Return where a cell lies on the canvas."""
        starts, lengths = halves(self._plan.cell_box(cell))
        return (*(start - axis.start for start, axis in zip(starts, self._plan.axes, strict=True)), *lengths)

    def is_whole(self, cell: Cell, done: NDArray[np.bool_]) -> bool:
        """Whether all tiles that reach into a cell are `done`, an array as `Plan.selected`."""
        return all(done[self._plan.slot(*tile.index)] for tile in self._plan.covering(cell))

    def blend(self, cell: Cell, fresh: Mapping[tuple[int, ...], Computed], done: NDArray[np.bool_]) -> Blend | None:
        """Return what a cell is composed from; None where a part of a tile that is done is neither fresh nor kept."""
        covering = self._plan.covering(cell)
        near = [tile for tile in covering if tile.index in fresh or done[self._plan.slot(*tile.index)]]
        if not near or not all(tile.index in fresh or self._cached.has(tile.index, cell) for tile in near):
            return None
        return Blend(cell=cell, box=self.box(cell), tiles=tuple(near), fresh=fresh)

    def blocks(self, one: Blend) -> dict[str, NDArray[np.generic]]:
        """Return the stored pixels of a cell by port key."""
        parts = [
            self.parts(one.fresh[tile.index], one.cell)
            if tile.index in one.fresh
            else self._split(self._cached.read(tile.index, one.cell))
            for tile in one.tiles
        ]
        totals, covered = _weighted_sum(self._plan.axes, one, parts)
        starts, lengths = halves(one.box)
        axes = zip(starts, self._plan.axes, one.cell, strict=True)
        inner = box_slices((*(start + axis.start - i * axis.stride for start, axis, i in axes), *lengths))
        keep = self._plan.inside(one.box)
        keep = covered[inner] if keep is None else covered[inner] & keep
        blocks: dict[str, NDArray[np.generic]] = {}
        for port, total in zip(self._ports, totals, strict=True):
            block = to_stored(total[:, *inner], port)
            if not keep.all():
                block = np.where(keep, block, np.asarray(port.fill, port.dtype))
            blocks[port.key] = block
        return blocks

    def parts(self, item: Computed, cell: Cell) -> list[NDArray[np.float32]]:
        """Return the part of a tile in a cell, (c, …) of each port."""
        cut = _part_of(self._plan.axes, item.tile, cell)
        outputs = (np.asarray(item.outputs[port.key], np.float32) for port in self._ports)
        return [output.reshape(-1, *self._plan.shape)[:, *cut] for output in outputs]

    def shapes(self, tile: Tile) -> dict[Cell, tuple[int, ...]]:
        """Return the shape of what is kept of a tile in each of its cells: `parts`, one after the other."""
        channels = sum(len(port.channels) for port in self._ports)
        return {
            cell: (channels, *_reach(self._plan.axes, [i - j for i, j in zip(cell, tile.index, strict=True)]))
            for cell in self.of(tile)
        }

    def _split(self, stacked: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return np.split(stacked, np.cumsum([len(port.channels) for port in self._ports])[:-1])


def to_stored(values: NDArray[np.floating], port: Raster) -> NDArray[np.generic]:
    """Return physical values in the port's stored type, integers rounded to nearest and clipped."""
    if port.dtype == "float32":
        return np.asarray(values, np.float32)
    limits = np.iinfo(port.dtype)
    rounded = np.rint(values)
    return np.clip(rounded, limits.min, limits.max, out=rounded).astype(port.dtype)


def _part_of(axes: Sequence[Axis], tile: Tile, cell: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the slices of a tile that lie in a cell: its first `stride` px, or in the cells after it its overlap."""
    before = [i - j for i, j in zip(cell, tile.index, strict=True)]
    return box_slices((*(d * axis.stride for d, axis in zip(before, axes, strict=True)), *_reach(axes, before)))


def _weighted_sum(
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
        For each of its tiles, for each image, the pixels that lie in it.

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
