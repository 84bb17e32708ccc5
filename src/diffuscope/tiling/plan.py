"""Which tiles are computed: a grid anchored at the slide's origin, from which a region only selects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, floor, isfinite

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.errors import InputError

# A pixel counts as touched only beyond this part of its side, so that 2220 / 1.11 is 2000 px and not 2001.
_SLACK = 1e-6


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
    """One tile of the slide's grid: its indices and the model px of its upper left corner."""

    iy: int
    ix: int
    y: int
    x: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run computes.

    Tile (iy, ix) covers rows [iy·stride, iy·stride + tile) and the like columns of the slide at the
    model's resolution. Cell (iy, ix), the first stride × stride px of that tile, is covered by the
    tiles (iy, ix), (iy - 1, ix), (iy, ix - 1) and (iy - 1, ix - 1), and by no other.

    Attributes
    ----------
    factor : float
        Level-0 px per model px.
    tile, overlap : int
        Side of a tile and its overlap with the next, model px; overlap ≤ tile / 2.
    size : tuple of int
        (height, width) of the slide in model px.
    window : tuple of int
        (y, x, height, width) of the region in model px: the canvas.
    polygon : shapely.Polygon or None
        Drawn outline in model px.
    first : tuple of int
        (iy, ix) of `wanted[0, 0]`.
    wanted : ndarray of bool (rows, columns)
        Which of the tiles that touch the window are computed. One byte a tile is all that grows with the slide.
    """

    factor: float
    tile: int
    overlap: int
    size: tuple[int, int]
    window: tuple[int, int, int, int]
    polygon: shapely.Polygon | None
    first: tuple[int, int]
    wanted: NDArray[np.bool_]

    @property
    def stride(self) -> int:
        """Distance between tiles in model px."""
        return self.tile - self.overlap

    @property
    def count(self) -> int:
        """Number of tiles to compute."""
        return int(self.wanted.sum())

    def at(self, iy: int, ix: int) -> Tile:
        """Return the grid's tile (iy, ix), computed or not."""
        return Tile(iy, ix, iy * self.stride, ix * self.stride)

    def is_wanted(self, iy: int, ix: int) -> bool:
        """Whether tile (iy, ix) is computed in this run."""
        row, column = iy - self.first[0], ix - self.first[1]
        rows, columns = self.wanted.shape
        return 0 <= row < rows and 0 <= column < columns and bool(self.wanted[row, column])

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles to compute, row by row."""
        for row, wanted in enumerate(self.wanted):
            for column in np.flatnonzero(wanted):
                yield self.at(self.first[0] + row, self.first[1] + int(column))

    def cells(self, tile: Tile) -> list[tuple[int, int]]:
        """Return the indices of the cells that a tile reaches into."""
        reach = (0, 1) if self.overlap else (0,)
        return [(tile.iy + dy, tile.ix + dx) for dy in reach for dx in reach]

    def covering(self, cell: tuple[int, int]) -> list[Tile]:
        """Return the computed tiles that reach into a cell, in tile order."""
        reach = (1, 0) if self.overlap else (0,)
        near = [(cell[0] - dy, cell[1] - dx) for dy in reach for dx in reach]
        return [self.at(*place) for place in near if self.is_wanted(*place)]

    def cell_box(self, cell: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return (y, x, height, width) of a cell inside the window, model px on the slide; may be empty."""
        iy, ix = cell
        top, left, height, width = self.window
        y, x = max(iy * self.stride, top), max(ix * self.stride, left)
        bottom, right = min((iy + 1) * self.stride, top + height), min((ix + 1) * self.stride, left + width)
        return y, x, max(bottom - y, 0), max(right - x, 0)


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
    """Choose the tiles of a region, or of all tissue.

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
    stride = tile - overlap
    if not (0 <= overlap <= tile // 2 and tile > 0 and factor > 0):
        raise ValueError(f"no grid with tile {tile}, overlap {overlap}, factor {factor}")
    height, width = slide_shape
    size = (_last(height / factor), _last(width / factor))
    window = _window(slide_shape, size, factor, region, name)
    (y, rows), (x, columns) = ((window[i], window[i + 2]) for i in (0, 1))
    iy, iy_end = _indices(y, rows, tile, stride)
    ix, ix_end = _indices(x, columns, tile, stride)
    # The grid must reach every pixel of the window, whatever the tissue mask leaves out afterwards.
    for start, length, low, high in ((y, rows, iy, iy_end), (x, columns, ix, ix_end)):
        if not (low * stride <= start and (high - 1) * stride + tile >= start + length):
            raise AssertionError(f"tiles {low}…{high} do not cover {length} px from {start}")

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
    return Plan(
        factor=factor,
        tile=tile,
        overlap=overlap,
        size=size,
        window=window,
        polygon=polygon,
        first=(iy, ix),
        wanted=wanted,
    )


def _last(edge: float) -> int:
    """Return the number of px up to `edge`, a partly covered one included."""
    return max(1, ceil(edge - _SLACK))


def _window(
    slide_shape: tuple[int, int], size: tuple[int, int], factor: float, region: Region | None, name: str
) -> tuple[int, int, int, int]:
    """Return (y, x, height, width) in model px: the region rounded outward, never beyond the slide."""
    if region is None:
        return (0, 0, *size)
    height, width = slide_shape
    if region.width < 1 or region.height < 1:
        raise InputError(f"region {region.width} x {region.height} px is empty: width and height must be at least 1.")
    top, left = max(region.y, 0), max(region.x, 0)
    bottom, right = min(region.y + region.height, height), min(region.x + region.width, width)
    if bottom <= top or right <= left:
        raise InputError(
            f"region {region.x},{region.y},{region.width},{region.height} lies outside {name}, "
            f"which is {width} x {height} px: give x,y,width,height in level-0 pixels inside it."
        )
    y, x = floor(top / factor + _SLACK), floor(left / factor + _SLACK)
    y_end, x_end = min(_last(bottom / factor), size[0]), min(_last(right / factor), size[1])
    return y, x, y_end - y, x_end - x


def _indices(start: int, length: int, tile: int, stride: int) -> tuple[int, int]:
    """Return the half-open range of grid indices whose tiles touch [start, start + length)."""
    return max(0, (start - tile) // stride + 1), (start + length - 1) // stride + 1
