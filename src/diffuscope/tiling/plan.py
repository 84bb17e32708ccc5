"""Which tiles are computed: a grid anchored at the input's origin, from which a region only selects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.tiling.axis import Axis, make_axis
from diffuscope.tiling.region import Region


@dataclass(frozen=True)
class Tile:
    """One tile of the grid.

    Attributes
    ----------
    index : tuple of int
        (iy, ix) of a slide's tile, (iz, iy, ix) of a volume's.
    corner : tuple of int
        Its first px along the same axes, model px from the input's origin.
    """

    index: tuple[int, ...]
    corner: tuple[int, ...]

    @property
    def z(self) -> int:
        """First slice; 0 on a slide, which is one plane."""
        return (0, *self.corner)[-3]

    @property
    def y(self) -> int:
        """First row."""
        return self.corner[-2]

    @property
    def x(self) -> int:
        """First column."""
        return self.corner[-1]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run computes: of a slide, along the axes (y, x), or of a volume, along (z, y, x).

    Every axis is a grid of its own (see `Axis`), so that at most four tiles cover a cell of a slide, and eight
    one of a volume.

    Attributes
    ----------
    axes : tuple of Axis
        Two for a slide, three for a volume.
    selected : ndarray of bool
        Which of the tiles that touch the window are computed: (rows, columns) or (planes, rows, columns), from
        the index `first`. One byte a tile is all that grows with the input.
    polygon : shapely.Polygon or None
        Drawn outline on a slide in model px.
    spacing : tuple of float or None
        Size of a canvas px along the axes, µm of a slide, mm of a volume; None where nobody needs it.
    """

    axes: tuple[Axis, ...]
    selected: NDArray[np.bool_]
    polygon: shapely.Polygon | None = None
    spacing: tuple[float, ...] | None = None

    @property
    def factor(self) -> float:
        """Input px per model px along a row."""
        return self.axes[-1].factor

    @property
    def tile(self) -> int:
        """Side of a tile in its plane, model px."""
        return self.axes[-1].tile

    @property
    def overlap(self) -> int:
        """Overlap of neighbouring tiles in their plane, model px."""
        return self.axes[-1].overlap

    @property
    def depth(self) -> int:
        """Slices of a tile; 1 on a slide."""
        return prod(self.shape[:-2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a tile along the axes, model px."""
        return tuple(axis.tile for axis in self.axes)

    @property
    def window(self) -> tuple[int, ...]:
        """The region in model px, which is the canvas: (y, x, height, width) or (z, y, x, depth, height, width)."""
        return (*(axis.start for axis in self.axes), *(axis.length for axis in self.axes))

    @property
    def first(self) -> tuple[int, ...]:
        """Index of the first tile that touches the window."""
        return tuple(axis.indices[0] for axis in self.axes)

    @property
    def count(self) -> int:
        """Number of tiles to compute."""
        return int(self.selected.sum())

    @property
    def unit(self) -> str:
        """What a user calls the tiles, in the plural: slices of a volume that are a tile each are slices."""
        is_slices = len(self.axes) == 3 and self.depth == 1 and self.selected.shape[1:] == (1, 1)
        return "slices" if is_slices else "tiles"

    def at(self, *index: int) -> Tile:
        """Return the grid's tile of an index, computed or not."""
        return Tile(index, tuple(i * axis.stride for i, axis in zip(index, self.axes, strict=True)))

    def slot(self, *index: int) -> tuple[int, ...]:
        """Return where a tile stands in `selected`; outside of it where it does not touch the window."""
        return tuple(i - first for i, first in zip(index, self.first, strict=True))

    def is_selected(self, *index: int) -> bool:
        """Whether a tile is computed in this run."""
        slot = self.slot(*index)
        inside = all(0 <= i < length for i, length in zip(slot, self.selected.shape, strict=True))
        return inside and bool(self.selected[slot])

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles to compute, row by row and plane by plane."""
        for row in np.ndindex(self.selected.shape[:-1]):
            for column in np.flatnonzero(self.selected[row]):
                yield self.at(*(i + first for i, first in zip((*row, int(column)), self.first, strict=True)))

    def cells(self, tile: Tile) -> list[tuple[int, ...]]:
        """Return the indices of the cells that a tile reaches into."""
        return list(product(*([i + d for d in axis.reach] for i, axis in zip(tile.index, self.axes, strict=True))))

    def covering(self, cell: tuple[int, ...]) -> list[Tile]:
        """Return the computed tiles that reach into a cell, in tile order."""
        near = product(*([i - d for d in reversed(axis.reach)] for i, axis in zip(cell, self.axes, strict=True)))
        return [self.at(*index) for index in near if self.is_selected(*index)]

    def cell_box(self, cell: tuple[int, ...]) -> tuple[int, ...]:
        """Return (*starts, *lengths) of a cell inside the window, model px of the whole input; may be empty."""
        starts, lengths = zip(*(axis.cell(i) for i, axis in zip(cell, self.axes, strict=True)), strict=True)
        return (*starts, *lengths)

    def inside(self, box: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Return which pixels of a box (y, x, height, width) on the canvas have their centre inside the drawn outline.

        None where there is no outline.
        """
        if self.polygon is None:
            return None
        y, x, height, width = box
        top, left = self.window[:2]
        columns, rows = np.meshgrid(left + x + np.arange(width) + 0.5, top + y + np.arange(height) + 0.5)
        found: NDArray[np.bool_] = shapely.contains_xy(self.polygon, columns, rows)
        return found


def make_plan(
    *,
    shape: tuple[int, ...],
    factors: tuple[float, ...],
    tile: int,
    overlap: int,
    depth: int = 1,
    overlap_depth: int = 0,
    spacing: tuple[float, ...] | None = None,
    region: Region | None = None,
    slices: tuple[int, int] | None = None,
    shows: Callable[..., bool] | None = None,
    name: str = "the input",
) -> Plan:
    """Choose the tiles of a slide, along the axes (y, x), or of a volume, along (z, y, x), or of a part of it.

    Parameters
    ----------
    shape : tuple of int
        Of the input in its own px, along the axes.
    factors : tuple of float
        The input's px per model px along the axes, > 0.
    tile, overlap : int
        Side of a tile in its plane and overlap there, model px, 0 ≤ overlap ≤ tile / 2.
    depth, overlap_depth : int
        Of a volume, slices of a tile and overlap along z, 0 ≤ overlap_depth ≤ depth / 2; one slice by default.
    spacing : tuple of float, optional
        Size of the input's px along the axes, µm or mm; a result is placed by it.
    region : Region, optional
        What to compute, of a volume in every slice and no drawn outline; default all.
    slices : tuple of int, optional
        Of a volume, the first slice to compute and one past the last; default all.
    shows : callable (*starts, *lengths) -> bool, optional
        Whether a box in px of the input shows anything; tiles that do not are skipped, unless none does in a region or
        slices: then the user wants it as it is. Default: every tile is computed.
    name : str
        The input's name in messages.

    Raises
    ------
    InputError
        The region lies outside the input or is empty; or there is neither region nor slices, and nothing is shown.
    """
    parts = _parts(shape, region, slices, name)
    sides, overlaps = (depth, tile, tile), (overlap_depth, overlap, overlap)
    axes = tuple(
        make_axis(extent, factor=factor, tile=side, overlap=over, part=part)
        for extent, factor, side, over, part in zip(
            shape, factors, sides[-len(shape) :], overlaps[-len(shape) :], parts, strict=True
        )
    )
    selected = np.ones([stop - first for first, stop in (axis.indices for axis in axes)], bool)
    polygon = None
    if region is not None and region.polygon is not None:
        polygon = shapely.Polygon([(x / factors[-1], y / factors[-2]) for x, y in region.polygon])
        selected = _touching(polygon, axes)
    wanted = selected if shows is None else _showing(selected, axes, shape, shows)
    if not wanted.any():
        if region is None and slices is None:
            nothing = f"{name} shows nothing but background" if len(shape) == 3 else f"no tissue found in {name}"
            raise InputError(f"{nothing}: give a region to compute it all the same.")
        wanted = selected
    return Plan(axes=axes, selected=wanted, polygon=polygon, spacing=resampled(spacing, factors))


def resampled(spacing: Sequence[float] | None, factors: Sequence[float]) -> tuple[float, ...] | None:
    """Return the size of a model px, of `factors` input px whose size is `spacing`; None where that is not known."""
    return None if spacing is None else tuple(step * factor for step, factor in zip(spacing, factors, strict=True))


def _touching(polygon: shapely.Polygon, axes: tuple[Axis, ...]) -> NDArray[np.bool_]:
    """Return which tiles of a slide touch an outline in model px."""
    shapely.prepare(polygon)
    tops, lefts = (np.arange(*axis.indices) * axis.stride for axis in axes)
    left, top = np.meshgrid(lefts, tops)
    found: NDArray[np.bool_] = shapely.intersects(
        polygon, shapely.box(left, top, left + axes[1].tile, top + axes[0].tile)
    )
    return found


def _showing(
    selected: NDArray[np.bool_], axes: tuple[Axis, ...], shape: tuple[int, ...], shows: Callable[..., bool]
) -> NDArray[np.bool_]:
    """Return which of the selected tiles show anything."""
    boxes = [[axis.box(i, side) for i in range(*axis.indices)] for axis, side in zip(axes, shape, strict=True)]
    wanted = selected.copy()
    for index in np.argwhere(selected).tolist():
        starts, lengths = zip(*[along[i] for along, i in zip(boxes, index, strict=True)], strict=True)
        wanted[tuple(index)] = shows(*starts, *lengths)
    return wanted


def _parts(
    shape: tuple[int, ...], region: Region | None, slices: tuple[int, int] | None, name: str
) -> list[tuple[int, int]]:
    """Return along each axis the half-open range of what is computed, px of the input, never beyond it."""
    *depth, height, width = shape  # the first of these is empty for a slide
    planes = [(max(slices[0], 0), min(slices[1], count)) if slices else (0, count) for count in depth]
    if region is None:
        return [*planes, (0, height), (0, width)]
    if region.width < 1 or region.height < 1:
        raise InputError(f"region {region.width} x {region.height} px is empty: width and height must be at least 1.")
    top, left = max(region.y, 0), max(region.x, 0)
    bottom, right = min(region.y + region.height, height), min(region.x + region.width, width)
    if bottom <= top or right <= left:
        raise InputError(
            f"region {region.x},{region.y},{region.width},{region.height} lies outside {name}, "
            f"which is {width} x {height} px: give x,y,width,height in level-0 pixels inside it."
        )
    return [*planes, (top, bottom), (left, right)]
