"""Outlines in the slices of a volume, filled: one inside another is a hole, one that is there twice is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

# Outlines that lie so close to each other everywhere, in voxels, are one that was drawn twice.
_SAME = 0.5
# A hole may reach so far out of what it lies in, as a part of its area: both were rounded.
_OUT = 0.01

Outline = NDArray[np.float64]
"""(n, 2) row and column of its corners, in voxels, that do not lie on one line."""


def fill(outlines: Sequence[Outline], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill the closed outlines of one structure in one slice.

    A voxel belongs to an outline if its centre lies in it, or on it; of one that meets itself (a keyhole), what the
    path goes round an odd number of times. Outlines that overlap are joined; one that lies in another is a hole, one
    in a hole an island; one that is there twice counts once.

    Parameters
    ----------
    outlines : sequence of ndarray
        As `Outline`.
    shape : tuple of int
        Rows and columns of the slice.

    Returns
    -------
    ndarray of bool (y, x)
    """
    inside = np.zeros(shape, bool)
    for depth, area in _nested([_area(outline) for outline in outlines]):
        _paint(inside, area, value=depth % 2 == 0)
    return inside


def fill_odd(outlines: Sequence[Outline], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill what lies in an odd number of outlines, as ``CLOSEDPLANAR_XOR`` says (see `fill`)."""
    inside = np.zeros(shape, bool)
    for outline in outlines:
        one = np.zeros(shape, bool)
        _paint(one, _area(outline), value=True)
        inside ^= one
    return inside


def _area(outline: Outline) -> shapely.Geometry:
    """Return what an outline goes round an odd number of times."""
    parts = shapely.get_parts(shapely.make_valid(shapely.Polygon(outline)))
    # Where the path runs back on itself a line is left, which has no area.
    return shapely.union_all([part for part in parts if shapely.get_dimensions(part) == 2])


def _paint(inside: NDArray[np.bool_], area: shapely.Geometry, *, value: bool) -> None:
    """Set the voxels whose centres lie in an area, or on its edge."""
    if area.is_empty:
        return
    bounds = np.array(area.bounds)
    top, left = np.clip(np.ceil(bounds[:2]), 0, inside.shape).astype(int)
    bottom, right = np.clip(np.floor(bounds[2:]) + 1, 0, inside.shape).astype(int)
    rows, columns = np.mgrid[top:bottom, left:right]
    shapely.prepare(area)
    part = inside[top:bottom, left:right]
    part[shapely.intersects_xy(area, rows, columns)] = value


def _nested(areas: Sequence[shapely.Geometry]) -> list[tuple[int, shapely.Geometry]]:
    """Return areas with how deep in others each lies, the outermost first; those that are there twice lie as deep."""
    found: list[tuple[int, shapely.Geometry]] = []
    for area in sorted(areas, key=lambda one: -one.area):
        twin = next((depth for depth, other in found if _is_same(area, other)), None)
        # Only a larger one can hold it; of several that do, those that lie in each other count.
        around = [depth for depth, other in found if twin is None and _holds(other, area)]
        found.append((max(around, default=-1) + 1 if twin is None else twin, area))
    return sorted(found, key=lambda one: one[0])


def _holds(outer: shapely.Geometry, inner: shapely.Geometry) -> bool:
    """Whether one area lies in another, but for what was rounded."""
    if outer.is_empty or inner.is_empty:
        return False
    reach = np.subtract(outer.bounds, inner.bounds) * [1, 1, -1, -1]
    if reach.max() > _SAME:
        return False
    return bool(outer.covers(inner)) or shapely.difference(inner, outer).area <= _OUT * inner.area


def _is_same(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    if one.is_empty or other.is_empty or np.abs(np.subtract(one.bounds, other.bounds)).max() > _SAME:
        return False
    return bool(shapely.hausdorff_distance(one.boundary, other.boundary) <= _SAME)
