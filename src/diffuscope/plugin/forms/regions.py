"""From what is drawn or seen in the viewer to a region in level-0 pixels of the slide.

napari puts the centre of pixel (0, 0) at (0, 0); a `Region` counts from the pixel's corner, so half a pixel is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffuscope.errors import InputError
from diffuscope.plugin.layers.facts import finest, input_placement, volume_lies
from diffuscope.plugin.layers.placement import in_data, in_units, layer_placement, world_units
from diffuscope.tiling.region import Region

#: Corners of the polygon that stands for an ellipse.
ELLIPSE_CORNERS = 64
# Of a px, after the point: what anybody means.
_DIGITS = 2


def shape_region(vertices: ArrayLike, shape_type: str) -> Region:
    """Turn one napari shape into a region.

    Parameters
    ----------
    vertices : array_like
        (n, 2) y, x in data coordinates of the slide's finest level.
    shape_type : str
        As napari names it.

    Raises
    ------
    InputError
        For a line or a path, which enclose nothing, and for a shape thinner than a pixel.
    """
    # through scales of layers 1000 comes back as 999.9999999999999, which is a px more
    corners = np.round(np.asarray(vertices, dtype=float)[:, -2:] + 0.5, _DIGITS)
    if shape_type in ("line", "path"):
        raise InputError(f"A {shape_type} encloses no region: draw a rectangle, an ellipse or a polygon.")
    if shape_type == "ellipse":
        corners = np.round(ellipse_corners(corners), _DIGITS)
    if _is_upright(corners) and (shape_type == "rectangle" or (len(corners) == 4 and not (corners % 1).any())):
        return _box(corners)
    return Region.from_polygon(corners[:, ::-1])


def layer_region(shapes: Any, image: Any, at: Sequence[float] = ()) -> Region:
    """Return the region that a Shapes layer marks on an image layer: the selected shape, else the last drawn.

    Parameters
    ----------
    shapes : Shapes
        What is drawn.
    image : Image
        A slide, or a volume.
    at : sequence of float
        Where in the world the volume was looked at, in its units.

    Raises
    ------
    InputError
        Nothing is drawn, or nothing that can be computed.
    """
    if not len(shapes.data):
        raise InputError(f"Nothing is drawn in “{shapes.name}” yet: draw a rectangle, an ellipse or a polygon.")
    chosen = sorted(shapes.selected_data) or [len(shapes.data) - 1]
    if len(chosen) > 1:
        raise InputError(f"{len(chosen)} shapes are selected in “{shapes.name}”: select one of them.")
    return _region(shapes, image, chosen[0], at)


def layer_regions(shapes: Any, image: Any) -> dict[str, Region]:
    """Return every region that a Shapes layer marks on a slide's layer, by name; of those that are picked, only these.

    Those are picked that are selected with a tool that selects: drawing selects what was drawn last, which says
    nothing.

    Raises
    ------
    InputError
        Nothing is drawn, or nothing that can be computed.
    """
    if not len(shapes.data):
        raise InputError(f"Nothing is drawn in “{shapes.name}” yet: draw a rectangle, an ellipse or a polygon.")
    picked = shapes.selected_data if str(shapes.mode) in ("select", "direct") else ()
    names = shape_names(shapes)
    several = len(shapes.data) > 1

    def region(number: int) -> Region:
        try:
            return _region(shapes, image, number)
        except InputError as error:
            if not several:
                raise
            raise InputError(f"“{names[number]}”: {error} Or select the shapes that are to be run.") from error

    return {
        names[number]: replace(
            region(number),
            name=names[number] if several or _told(shapes, "name", number) else "",
            category=_told(shapes, "class", number),
        )
        for number in sorted(picked) or range(len(shapes.data))
    }


def shape_names(shapes: Any) -> list[str]:
    """Return what the shapes of a layer are called: as its column ``name`` says, else by number; no two the same."""
    names: list[str] = []
    for number in range(len(shapes.data)):
        name = first = _told(shapes, "name", number) or f"region {number + 1}"
        again = 1
        while name in names:
            again += 1
            name = f"{first} ({again})"
        names.append(name)
    return names


def _told(shapes: Any, column: str, number: int) -> str:
    """Return what a column of a layer says of a shape; empty where it says nothing."""
    told = shapes.features[column].tolist() if column in shapes.features else []
    stated = told[number] if number < len(told) else None
    return stated.strip() if isinstance(stated, str) else ""


def view_region(viewer: Any, image: Any) -> Region:
    """Return the part of a slide's layer that the canvas shows now.

    Raises
    ------
    InputError
        In the 3D view, where the slide is cut across, and where it is out of sight.
    """
    dims = viewer.dims
    if dims.ndisplay != 2:
        raise InputError("The current view is 3D: switch to 2D to use it as a region.")
    axes = [axis - (dims.ndim - 2) for axis in dims.displayed]
    if min(axes) < 0:
        raise InputError(
            f"The view cuts across “{image.name}”: roll the axes (below the layer list) until it is seen whole."
        )
    half = np.asarray(viewer.canvas.size, dtype=float) / viewer.camera.zoom / 2
    centre = np.asarray(viewer.camera.center[-2:], dtype=float)
    seen = []
    for sign in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        world = np.empty(2)
        world[axes] = centre + half * sign  # the canvas may show the axes in another order
        seen.append(image.world_to_data(in_units(world.tolist(), world_units(viewer), image.units))[-2:] + 0.5)
    size = np.asarray(finest(image).shape[:2])
    low, high = np.clip(np.min(seen, axis=0), 0, size), np.clip(np.max(seen, axis=0), 0, size)
    if (high - low < 1).any():
        raise InputError(f"“{image.name}” is out of sight: bring it into view, or choose another region.")
    return _box(np.array([low, high]))


def current_slice(viewer: Any, layer: Any) -> int:
    """Return the slice of an upright volume that the slider stands at, or the nearest that it has."""
    lies = volume_lies(layer)
    axis, turned = lies.storage.order[0], lies.storage.flipped[0]
    at = in_units(viewer.dims.point, world_units(viewer), layer.units)
    # as napari cuts: along the axis of the slider, whatever the layer is turned by beside it
    world_to_data = np.linalg.inv(layer_placement(layer).matrix)
    number = float(world_to_data[axis, axis] * at[axis] + world_to_data[axis, 3])
    last = finest(layer).shape[axis] - 1
    return int(np.clip(round(last - number if turned else number), 0, last))


def _region(shapes: Any, image: Any, number: int, at: Sequence[float] = ()) -> Region:
    if image.ndim == 2:
        vertices = [in_data(image, shapes, vertex) for vertex in shapes.data[number]]
    else:
        vertices = _on_slices(shapes, image, shapes.data[number], at)
    return shape_region(vertices, str(shapes.shape_type[number]))


def _on_slices(shapes: Any, volume: Any, drawn: Any, at: Sequence[float]) -> list[NDArray[np.float64]]:
    """Return where vertices lie on the slices of an upright volume, (y, x) from the centre of the first voxel."""
    place = input_placement(volume)
    here = np.asarray(at, float) if len(at) else np.zeros(3)
    found = []
    for vertex in drawn:
        world = in_units(shapes.data_to_world(vertex)[-2:], shapes.units, volume.units[-2:])
        # one step of the slider further, the same rectangle must be the same voxels
        one, other = (
            np.array(place.to_input([first, *world]))[1:] - 0.5 for first in (here[0], here[0] + volume.extent.step[0])
        )
        if not np.allclose(one, other, atol=0.01):
            raise InputError(
                f"“{volume.name}” is turned, so that a rectangle is another one on each of its slices: turn the layer "
                "back, or compute whole slices."
            )
        found.append(one)
    return found


def _box(corners: NDArray[np.float64]) -> Region:
    y0, x0 = np.round(corners.min(axis=0)).astype(int)
    y1, x1 = np.round(corners.max(axis=0)).astype(int)
    if y1 <= y0 or x1 <= x0:
        raise InputError("The drawn shape is thinner than a pixel: draw a larger one.")
    return Region(x=int(x0), y=int(y0), width=int(x1 - x0), height=int(y1 - y0))


def _is_upright(corners: NDArray[np.float64]) -> bool:
    sides = np.abs(np.diff(corners, axis=0, append=corners[:1]))
    return bool((sides.min(axis=1) < 1e-6).all())


def ellipse_corners(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a polygon for an ellipse, of which napari keeps the corners of the (perhaps rotated) box around it."""
    centre = corners.mean(axis=0)
    u, v = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: NDArray[np.float64] = centre + np.cos(angle) * u + np.sin(angle) * v
    return outline
