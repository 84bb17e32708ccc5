"""Which part of an input is computed: a rectangle or a drawn outline, in px of its level 0."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil, floor, isfinite

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.errors import InputError


@dataclass(frozen=True)
class Region:
    """Part of a slide, or of every slice of a volume, in level-0 pixels; the upper left corner is (0, 0).

    Attributes
    ----------
    x, y, width, height : int
        Bounding box.
    polygon : tuple of (x, y), optional
        Drawn outline inside the box; pixels whose centre is outside it are left empty.
    name, category : str
        What whoever drew it calls it, and its class, e.g. ``"Tumor"``; empty where nobody says. Two regions are the
        same whatever they are called.
    """

    x: int
    y: int
    width: int
    height: int
    polygon: tuple[tuple[float, float], ...] | None = None
    name: str = field(default="", compare=False)
    category: str = field(default="", compare=False)

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
                f"A drawn region needs at least three corners with finite x,y, got {len(polygon)} corners."
            )
        shape = shapely.Polygon(polygon)
        if not shape.is_valid or shape.area == 0:
            raise InputError("The drawn region crosses itself or has no area: draw it as one simple outline.")
        left, top, right, bottom = shape.bounds
        return cls(floor(left), floor(top), ceil(right) - floor(left), ceil(bottom) - floor(top), polygon)

    def covers(self, rows: NDArray[np.floating], columns: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which of the points of a lattice lie in it.

        Parameters
        ----------
        rows, columns : ndarray of float (n,), (m,)
            y and x in level-0 px, of the centres of px.

        Returns
        -------
        ndarray of bool (n, m)
        """
        down = (rows >= self.y) & (rows < self.y + self.height)
        across = (columns >= self.x) & (columns < self.x + self.width)
        found: NDArray[np.bool_] = down[:, None] & across[None, :]
        if self.polygon is not None and found.any():
            outline = shapely.Polygon(self.polygon)
            shapely.prepare(outline)
            found[np.ix_(down, across)] = shapely.contains_xy(outline, *np.meshgrid(columns[across], rows[down]))
        return found


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
    # People write a space behind a comma.
    text = re.sub(r"\s*,\s*", ",", text)
    parts = text.split()
    try:
        if len(parts) > 1:
            points = [(float(x), float(y)) for x, y in (part.split(",") for part in parts)]
        else:
            x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise wrong from None
    return Region.from_polygon(points) if len(parts) > 1 else Region(x, y, width, height)
