"""Landmarks that a user clicked: two Points layers, point for point, as the table that the verb `register` reads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.plugin.layers.placement import in_data

# Those of diffuscope.registration.landmarks, which brings scipy in.
_COLUMNS = ("x_fixed", "y_fixed", "x_moving", "y_moving")


def clicked_pairs(points: tuple[Any, Any], slides: tuple[Any, Any]) -> NDArray[np.float64]:
    """Return the pairs of two Points layers on the slides that they belong to.

    Parameters
    ----------
    points : tuple of Points
        On the slide that stays, and on the one that is moved; the n-th of each show one place.
    slides : tuple of Image
        Those slides.

    Returns
    -------
    ndarray of shape (n, 4)
        x and y on the slide that stays, x and y on the one that is moved: level-0 px from the upper left corner.

    Raises
    ------
    InputError
        The layers are one and the same, hold no points or not equally many, or a point lies outside its slide.
    """
    one, other = points
    if one == other:  # napari wraps a layer anew each time: no identity
        raise InputError(f"“{one.name}” is chosen for both slides: give each slide a Points layer of its own.")
    if len(one.data) != len(other.data) or not len(one.data):
        raise InputError(
            f"“{one.name}” has {len(one.data)} points and “{other.name}” {len(other.data)}: "
            "landmarks are pairs, so give both equally many, in one order."
        )
    return np.concatenate([_on_slide(layer, slide) for layer, slide in zip(points, slides, strict=True)], axis=1)


def write_pairs(path: Path, pairs: NDArray[np.float64]) -> None:
    """Write pairs as a CSV file that `diffuscope register --landmarks` takes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        table.writerows(pairs.tolist())


def _on_slide(layer: Any, slide: Any) -> NDArray[np.float64]:
    """Return (x, y) of the points in level-0 px of a slide; napari counts from the centre of its first px."""
    places = np.array([in_data(slide, layer, point) for point in layer.data])[:, ::-1] + 0.5
    height, width = (slide.data[0] if slide.multiscale else slide.data).shape[:2]
    outside = ((places < 0) | (places > (width, height))).any(axis=1)
    if outside.any():
        number = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"Point {number + 1} of “{layer.name}” lies outside “{slide.name}”: move it onto the slide, or choose "
            "the Points layer of that slide."
        )
    return places
