"""Which tiles are computed: a grid anchored at the input's origin, from which a region only selects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, isfinite

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.tiling.axis import Axis, make_axis


@dataclass(frozen=True)
class Region:
    """Part of a slide in level-0 pixels; the slide's upper left corner is (0, 0).

    Attributes
    ----------
    x, y, width, height : int
        Bounding box.
    polygon : tuple of (x, y), optional
        Drawn outline inside the box; pixels whose centre is outside it are left empty.
    """

    x: int
    y: int
    width: int
    height: int
    polygon: tuple[tuple[float, float], ...] | None = None

    def __str__(self) -> str:
        """Return the text that `parse_region` reads back."""
        if self.polygon is None:
            return f"{self.x},{self.y},{self.width},{self.height}"
        return " ".join(f"{x!r},{y!r}" for x, y in self.polygon)

    @classmethod
    def from_polygon(cls, points: NDArray[np.floating] | list[tuple[float, float]]) -> Region:
        """Make the region of a drawn outline.

        Parameters
        ----------
        points : array-like (n, 2)
            Corners (x, y) in level-0 px, n ≥ 3; (0, 0) is the corner of the first pixel, not its centre.

        Raises
        ------
        InputError
            Fewer than three corners, a number that is none, an outline that crosses itself or has no area.
        """
        polygon = tuple((float(x), float(y)) for x, y in points)
        if len(polygon) < 3 or not all(isfinite(v) for point in polygon for v in point):
            raise InputError(
                f"a drawn region needs at least three corners with finite x,y, got {len(polygon)} corners."
            )
        shape = shapely.Polygon(polygon)
        if not shape.is_valid or shape.area == 0:
            raise InputError("the drawn region crosses itself or has no area: draw it as one simple outline.")
        left, top, right, bottom = shape.bounds
        return cls(floor(left), floor(top), ceil(right) - floor(left), ceil(bottom) - floor(top), polygon)


def parse_region(text: str) -> Region:
    """Read a region from the command line.

    Parameters
    ----------
    text : str
        ``"x,y,width,height"`` in level-0 px, or a polygon as ``"x,y x,y x,y …"``.

    Raises
    ------
    InputError
        The text is neither.
    """
    wrong = InputError(f'region "{text}" is not understood: give x,y,width,height or "x,y x,y x,y" in level-0 pixels.')
    parts = text.split()
    try:
        if len(parts) > 1:
            points = [(float(x), float(y)) for x, y in (part.split(",") for part in parts)]
        else:
            x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise wrong from None
    return Region.from_polygon(points) if len(parts) > 1 else Region(x, y, width, height)


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
        return self.corner[0] if len(self.corner) == 3 else 0

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
    wanted : ndarray of bool
        Which of the tiles that touch the window are computed: (rows, columns) or (planes, rows, columns), from
        the index `first`. One byte a tile is all that grows with the input.
    polygon : shapely.Polygon or None
        Drawn outline on a slide in model px.
    spacing : tuple of float or None
        (z, y, x) of a volume's voxel on the canvas in mm; None for a slide.
    """

    axes: tuple[Axis, ...]
    wanted: NDArray[np.bool_]
    polygon: shapely.Polygon | None = None
    spacing: tuple[float, float, float] | None = None

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
        return self.axes[0].tile if len(self.axes) == 3 else 1

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
        return int(self.wanted.sum())

    def at(self, *index: int) -> Tile:
        """Return the grid's tile of an index, computed or not."""
        return Tile(index, tuple(i * axis.stride for i, axis in zip(index, self.axes, strict=True)))

    def slot(self, *index: int) -> tuple[int, ...]:
        """Return where a tile stands in `wanted`; outside of it where it does not touch the window."""
        return tuple(i - first for i, first in zip(index, self.first, strict=True))

    def is_wanted(self, *index: int) -> bool:
        """Whether a tile is computed in this run."""
        slot = self.slot(*index)
        inside = all(0 <= i < length for i, length in zip(slot, self.wanted.shape, strict=True))
        return inside and bool(self.wanted[slot])

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles to compute, row by row and plane by plane."""
        for row in np.ndindex(self.wanted.shape[:-1]):
            for column in np.flatnonzero(self.wanted[row]):
                yield self.at(*(i + first for i, first in zip((*row, int(column)), self.first, strict=True)))

    def cells(self, tile: Tile) -> list[tuple[int, ...]]:
        """Return the indices of the cells that a tile reaches into."""
        return list(product(*([i + d for d in axis.reach] for i, axis in zip(tile.index, self.axes, strict=True))))

    def covering(self, cell: tuple[int, ...]) -> list[Tile]:
        """Return the computed tiles that reach into a cell, in tile order."""
        near = product(*([i - d for d in reversed(axis.reach)] for i, axis in zip(cell, self.axes, strict=True)))
        return [self.at(*index) for index in near if self.is_wanted(*index)]

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
    slide_shape: tuple[int, int],
    factor: float,
    tile: int,
    overlap: int,
    region: Region | None = None,
    is_tissue: Callable[[float, float, float, float], bool] | None = None,
    name: str = "the slide",
) -> Plan:
    """Choose the tiles of a slide's region, or of all its tissue.

    Parameters
    ----------
    slide_shape : tuple of int
        (height, width) in level-0 px.
    factor : float
        Level-0 px per model px, > 0.
    tile, overlap : int
        Tile side and overlap in model px, 0 ≤ overlap ≤ tile / 2.
    region : Region, optional
        What to compute; default the whole slide.
    is_tissue : callable (y, x, height, width) -> bool, optional
        Whether a rectangle in level-0 px holds tissue; tiles without are skipped, unless the region has
        no tissue at all: then the user wants it as it is. Default: every tile is computed.
    name : str
        The slide's name in messages.

    Raises
    ------
    InputError
        The region lies outside the slide or is empty; or there is no region and no tissue.
    """
    axes = tuple(
        make_axis(extent, factor=factor, tile=tile, overlap=overlap, part=part)
        for extent, part in zip(slide_shape, _parts(slide_shape, region, name), strict=True)
    )
    stride = tile - overlap
    (iy, iy_end), (ix, ix_end) = (axis.indices for axis in axes)
    height, width = slide_shape
    polygon = None
    selected = np.ones((iy_end - iy, ix_end - ix), bool)
    if region is not None and region.polygon is not None:
        polygon = shapely.Polygon([(px / factor, py / factor) for px, py in region.polygon])
        shapely.prepare(polygon)
        left, top = np.meshgrid(np.arange(ix, ix_end) * stride, np.arange(iy, iy_end) * stride)
        selected = shapely.intersects(polygon, shapely.box(left, top, left + tile, top + tile))
    wanted = selected
    if is_tissue is not None:
        wanted = selected.copy()
        for row, column in zip(*np.nonzero(selected), strict=True):
            top, left = (iy + row) * stride * factor, (ix + column) * stride * factor
            bottom, right = min(top + tile * factor, height), min(left + tile * factor, width)
            wanted[row, column] = is_tissue(top, left, bottom - top, right - left)
    if not wanted.any():
        if region is None:
            raise InputError(f"no tissue found in {name}: give a region to compute it all the same.")
        wanted = selected
    return Plan(axes=axes, wanted=wanted, polygon=polygon)


def _parts(slide_shape: tuple[int, int], region: Region | None, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the half-open ranges of rows and columns of a region, level-0 px, never beyond the slide."""
    height, width = slide_shape
    if region is None:
        return (0, height), (0, width)
    if region.width < 1 or region.height < 1:
        raise InputError(f"region {region.width} x {region.height} px is empty: width and height must be at least 1.")
    top, left = max(region.y, 0), max(region.x, 0)
    bottom, right = min(region.y + region.height, height), min(region.x + region.width, width)
    if bottom <= top or right <= left:
        raise InputError(
            f"region {region.x},{region.y},{region.width},{region.height} lies outside {name}, "
            f"which is {width} x {height} px: give x,y,width,height in level-0 pixels inside it."
        )
    return (top, bottom), (left, right)
