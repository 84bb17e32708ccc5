"""Which region of a slide is one tile, at a place that the user looks at."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from diffuscope.errors import InputError
from diffuscope.tiling.region import Region


def tile_region(
    place: Sequence[float], *, shape: Sequence[int], factor: float, tile: int, overlap: int, name: str
) -> Region:
    """Return what one tile of the grid computes alone, near a place.

    The grid is that of every run, so that these px come out as they would in a run without neighbours.

    Parameters
    ----------
    place : sequence of float
        (y, x), level-0 px.
    shape : sequence of int
        (height, width) of the slide, level-0 px.
    factor : float
        Level-0 px per px of the model.
    tile, overlap : int
        Of the grid, px of the model.
    name : str
        Of the slide, for the message.

    Returns
    -------
    Region
        Of one tile, level-0 px, inside the slide.

    Raises
    ------
    InputError
        The place lies off the slide.
    """
    if not all(0 <= at < side for at, side in zip(place, shape, strict=True)):
        raise InputError(f"The middle of the view is off “{name}”: bring there what you want to see.")
    (y, height), (x, width) = (_along(at, side, factor, tile, overlap) for at, side in zip(place, shape, strict=True))
    return Region(x=x, y=y, width=width, height=height)


def _along(at: float, side: int, factor: float, tile: int, overlap: int) -> tuple[int, int]:
    """Return first px and length of what a tile shares with no other, along an axis."""
    stride = tile - overlap
    index = floor(at / factor / stride)
    start = ceil((index * stride + (overlap if index else 0)) * factor)
    if index and start >= side:  # in the overlap at the very edge
        index -= 1
        start = ceil((index * stride + (overlap if index else 0)) * factor)
    end = min(floor((index + 1) * stride * factor), side)
    return start, max(end - start, 1)
