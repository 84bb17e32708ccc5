"""What layers outline on an image: the labels of a Labels layer, what is drawn in a Shapes layer; with names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Labels, Shapes
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.plugin.forms.regions import ellipse_corners
from diffuscope.plugin.layers.facts import finest, is_result
from diffuscope.plugin.layers.placement import corners, in_units, layer_placement
from diffuscope.scans.formats.dicom.outlines import Outline, fill

# Columns of a layer's features that name what its labels, or shapes, are.
_NAMES = ("name", "label", "structure", "role")
# Two layers lie upon each other if no corner is further apart than this part of a voxel.
_SAME = 0.02
# Corners of a shape lie in one slice within half a voxel.
_IN_SLICE = 0.5


@dataclass(frozen=True)
class Outlined:
    """One thing that a layer outlines.

    Attributes
    ----------
    layer : Labels or Shapes
        Where.
    label : int or str
        Its number in a Labels layer, or the name that its shapes have in a Shapes layer.
    name : str
        What the user sees.
    is_named : bool
        Whether somebody gave it this name: a number says nothing.
    """

    layer: Any = field(compare=False)
    label: int | str
    name: str
    is_named: bool = True


@dataclass(frozen=True, eq=False)
class Drawn:
    """Shapes of one role, as they were when Run was pressed.

    Attributes
    ----------
    axis : int
        Of the image's array, across which they are drawn; -1 of an image of two axes.
    planes : dict of int to list of ndarray
        Corners (n, 2) in px by slice.
    """

    axis: int
    planes: dict[int, list[Outline]]

    def into(self, labels: NDArray[np.uint8], number: int) -> None:
        """Write a number where nothing is written yet."""
        for place, outlines in self.planes.items():
            plane = labels if self.axis < 0 else np.moveaxis(labels, self.axis, 0)[place]
            plane[fill(outlines, (plane.shape[0], plane.shape[1])) & (plane == 0)] = number


def can_outline(layer: Any, image: Any) -> bool:
    """Whether a layer can have outlines on an image's layer: it has its axes, and is nobody's result."""
    return isinstance(layer, Labels | Shapes) and layer.ndim == image.ndim and not is_result(layer)


def misfit(layer: Any, image: Any) -> str:
    """Say in one sentence why labels do not lie on an image; empty where they do. Shapes may lie anywhere."""
    if isinstance(layer, Shapes):
        return ""
    sizes = [tuple(finest(one).shape[: image.ndim]) for one in (layer, image)]
    if sizes[0] == sizes[1] and _is_placed_as(layer, image):
        return ""
    told = [f"“{one.name}” ({_size(one, size)})" for one, size in zip((layer, image), sizes, strict=True)]
    return f"{told[0]} does not lie on {told[1]}: choose outlines that were drawn on it."


def names_in(layer: Any, counts: dict[int, int]) -> list[Outlined]:
    """Return what a layer outlines; `counts` are the voxels of each number of a Labels layer."""
    names = _named(layer)
    if isinstance(layer, Shapes):
        own = [name or layer.name for name in names] if len(names) == len(layer.data) else [layer.name]
        return [Outlined(layer, name, name) for name in dict.fromkeys(own)] if len(layer.data) else []
    by_number = dict(zip(_numbers(layer), names, strict=False))
    found = []
    for number in counts:
        name = by_number.get(number, "")
        alone = len(counts) == 1 and not name
        text = name or (layer.name if alone else f"{number} · {layer.name}")
        found.append(Outlined(layer, number, text, is_named=bool(name) or alone))
    return found


def count_labels(layer: Any) -> dict[int, int]:
    """Return the voxels of each number but 0 of a Labels layer; nothing of a Shapes layer."""
    if isinstance(layer, Shapes):
        return {}
    found: dict[int, int] = {}
    for plane in finest(layer):
        # plane by plane, and by counting: a CT's labels are sorted in seconds, and counted in a tenth
        values = np.asarray(plane).ravel()
        top = int(values.max(initial=0))
        if 0 <= top < 2**16 and values.min(initial=0) >= 0:
            counts = np.bincount(values, minlength=1)
            pairs = [(int(number), int(counts[number])) for number in np.flatnonzero(counts)]
        else:
            pairs = [
                (int(number), int(count)) for number, count in zip(*np.unique(values, return_counts=True), strict=True)
            ]
        for number, count in pairs:
            if number:
                found[number] = found.get(number, 0) + count
    return dict(sorted(found.items()))


def shapes_on(layer: Any, name: str, image: Any) -> list[Drawn]:
    """Return what a Shapes layer has of a name, in px of an image's layer.

    Raises
    ------
    InputError
        It is a line, or lies across slices.
    """
    names = _named(layer)
    found: dict[int, Drawn] = {}
    for number, (vertices, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        if len(names) == len(layer.data) and (names[number] or layer.name) != name:
            continue
        if kind in ("line", "path"):
            raise InputError(f"“{layer.name}” has a {kind}, which encloses nothing: draw a rectangle or a polygon.")
        world = [in_units(layer.data_to_world(vertex), layer.units, image.units) for vertex in vertices]
        corners = np.array([image.world_to_data(place) for place in world])
        axis = -1 if image.ndim == 2 else int(np.argmin(np.ptp(corners, axis=0)))
        if axis >= 0 and np.ptp(corners[:, axis]) > _IN_SLICE:
            raise InputError(f"A shape of “{layer.name}” lies across the slices of “{image.name}”: draw it within one.")
        plane = corners if axis < 0 else np.delete(corners, axis, axis=1)
        place = 0 if axis < 0 else round(float(np.median(corners[:, axis])))
        if axis >= 0 and not 0 <= place < finest(image).shape[axis]:
            raise InputError(f"A shape of “{layer.name}” lies beside “{image.name}”: draw it on the image.")
        outline = ellipse_corners(plane) if kind == "ellipse" else plane
        found.setdefault(axis, Drawn(axis, {})).planes.setdefault(place, []).append(outline)
    return list(found.values())


def _named(layer: Any) -> list[str]:
    """Return the names in the features of a layer, one a row; none where nobody gave any."""
    features = layer.features
    column = next((one for one in features.columns if str(one).lower() in _NAMES), None)
    return features[column].fillna("").astype(str).str.strip().tolist() if column is not None else []


def _numbers(layer: Any) -> list[int]:
    """Return the number of a label that each row of the features is of: their index, which is the row where none is."""
    features = layer.features
    return [int(value) for value in (features["index"] if "index" in features.columns else features.index)]


def _is_placed_as(layer: Any, image: Any) -> bool:
    """Whether px lie where those of another layer of this shape lie, as napari shows both."""
    far = np.abs(corners(layer, image.units) - corners(image, image.units)).max()
    return bool(far <= _SAME * layer_placement(image).steps.min())


def _size(layer: Any, shape: Sequence[int]) -> str:
    """Return size and place of a layer in a message, x first as elsewhere."""
    place = layer_placement(layer)
    at = ", ".join(f"{one:.4g}" for one in place.matrix[:-1, -1][::-1])
    step = " x ".join(f"{one:.4g}" for one in place.steps[::-1])
    return f"{' x '.join(map(str, shape[::-1]))} voxels of {step} {place.units[-1]:~} from {at}"
