"""One axis of the grid of tiles: anchored at the input's origin, of which a window is computed."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

# A pixel counts as touched only beyond this part of its side, so that 2220 / 1.11 is 2000 px and not 2001.
_SLACK = 1e-6


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Tiles and cells along one axis of a slide (y, x) or a volume (z, y, x), in model px.

    Tile i covers [i·stride, i·stride + tile), cell i its first `stride` px. Cell i is covered by the tiles i
    and, where tiles overlap, i - 1, and by no other.

    Attributes
    ----------
    factor : float
        Input px (of level 0) per model px.
    tile, overlap : int
        Length of a tile and its overlap with the next; overlap ≤ tile / 2.
    size : int
        Length of the whole input.
    start, length : int
        The window that is computed.
    """

    factor: float
    tile: int
    overlap: int
    size: int
    start: int
    length: int

    @property
    def stride(self) -> int:
        """Distance between tiles, and length of a cell."""
        return self.tile - self.overlap

    @property
    def indices(self) -> tuple[int, int]:
        """Half-open range of the tiles that touch the window."""
        first = max(0, (self.start - self.tile) // self.stride + 1)
        return first, (self.start + self.length - 1) // self.stride + 1

    @property
    def reach(self) -> tuple[int, ...]:
        """How many cells after its own a tile reaches into: none, or one too."""
        return (0, 1) if self.overlap else (0,)

    def box(self, index: int, extent: int) -> tuple[float, float]:
        """Return (start, length) of a tile in px of an input of `extent`, beyond which it does not reach."""
        start = index * self.stride * self.factor
        return start, min(start + self.tile * self.factor, extent) - start

    def cell(self, index: int) -> tuple[int, int]:
        """Return (start, length) of a cell inside the window; the length may be 0."""
        start = max(index * self.stride, self.start)
        return start, max(min((index + 1) * self.stride, self.start + self.length) - start, 0)


def make_axis(extent: int, *, factor: float, tile: int, overlap: int, part: tuple[int, int]) -> Axis:
    """Lay the grid along one axis.

    Parameters
    ----------
    extent : int
        Length of the input in its own px.
    factor : float
        Input px per model px, > 0.
    tile, overlap : int
        In model px, 0 ≤ overlap ≤ tile / 2.
    part : tuple of int
        Half-open range of input px to compute, inside the input; the window is it, rounded outward.

    Raises
    ------
    ValueError
        No grid is made of such tiles, or there is no such part.
    """
    if not (0 <= overlap <= tile // 2 and tile > 0 and factor > 0):
        raise ValueError(f"no grid with tile {tile}, overlap {overlap}, factor {factor}")
    if not 0 <= part[0] < part[1] <= extent:
        raise ValueError(f"{part[0]} to {part[1]} is no part of {extent} px")
    size = _last(extent / factor)
    start, stop = floor(part[0] / factor + _SLACK), min(_last(part[1] / factor), size)
    axis = Axis(factor=factor, tile=tile, overlap=overlap, size=size, start=start, length=stop - start)
    # The grid must reach every pixel of the window, whatever a tissue mask leaves out afterwards.
    first, end = axis.indices
    if not (first * axis.stride <= start and (end - 1) * axis.stride + tile >= stop):
        raise AssertionError(f"tiles {first}…{end} do not cover {start}…{stop} px")
    return axis


def _last(edge: float) -> int:
    """Return the number of px up to `edge`, a partly covered one included."""
    return max(1, ceil(edge - _SLACK))
