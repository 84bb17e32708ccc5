"""Annotations from QuPath as shapes that lie on their slide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely
from napari.layers import Image

from diffuscope.errors import InputError
from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.placement import Placement, layer_placement, scan_placement
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.scans.qupath.annotations import Annotation, Annotations, read_annotations

# napari takes minutes to draw more shapes.
_MOST = 5000
_COLOR = (255, 176, 0)


def annotation_layers(given: Path | Annotations, viewer: Any = None) -> tuple[list[LayerTuple], list[str]]:
    """Describe annotations as a shapes layer on the slide of a viewer.

    Parameters
    ----------
    given : Path or Annotations
        A file of GeoJSON, or what was read.
    viewer : napari.Viewer, optional
        Whose slide it is: the active layer, else the only slide.

    Returns
    -------
    layers : list of (data, keyword arguments, "shapes")
        One: a polygon each, parts of one annotation too; features ``name``, ``class`` and ``kind``, edges in the
        colour of the class.
    notices : list of str
        What the user should know.

    Raises
    ------
    InputError
        The file is none, or holds nothing that can be drawn.
    """
    read = given if isinstance(given, Annotations) else read_annotations(given)
    path = read.path
    shown, notices = _shown(read)
    if not shown:
        raise InputError(f"{path.name} holds no outline with an area: draw one in QuPath, and export it as GeoJSON.")
    parts = [(one, part) for one in shown for part in shapely.get_parts(one.outline)]
    place, sentence = _place(path, viewer)
    notices += [sentence] if sentence else []
    height, width = np.ptp(np.concatenate([_corners(part) for _, part in parts]), axis=0)
    about = {
        "name": path.stem,
        "shape_type": "polygon",
        "features": {
            "name": [one.title for one, _ in parts],
            "class": [one.category for one, _ in parts],
            "kind": [one.kind for one, _ in parts],
        },
        "edge_color": np.array([(*(one.color or _COLOR), 255) for one, _ in parts]) / 255,
        "face_color": "transparent",
        "edge_width": max(1.0, max(height, width) / 400),
        "metadata": {KEY: {"annotations": str(path)}},
        **place.about,
    }
    return [([_corners(part) for _, part in parts], about, "shapes")], notices


def _shown(read: Annotations) -> tuple[list[Annotation], list[str]]:
    """Return what is drawn: all, or of very many what was drawn by hand."""
    notices = list(read.notices)
    shown = list(read.found)
    if len(shown) > _MOST:
        shown = [one for one in shown if one.kind == "annotation"]
        notices.append(f"{read.path.name} holds {len(read.found)} objects: shown are its {len(shown)} annotations.")
    holes = [one.title for one in shown if any(part.interiors for part in shapely.get_parts(one.outline))]
    if holes:
        some = ", ".join(holes[:3]) + (", …" if len(holes) > 3 else "")
        notices.append(f"Holes are not drawn, and a run would compute them as well: {some} of {read.path.name}.")
    return shown, notices


def _corners(part: Any) -> Any:
    """Return the corners (y, x) of a polygon as napari has them: the middle of the first px is at 0."""
    return np.asarray(part.exterior.coords)[:-1, ::-1] - 0.5


def _place(path: Path, viewer: Any) -> tuple[Placement, str]:
    """Return where the slide lies, and what to tell where it is not known which that is."""
    slides = [layer for layer in viewer.layers if _is_slide(layer)] if viewer is not None else []
    active = viewer.layers.selection.active if viewer is not None else None
    if active in slides:
        return layer_placement(active), ""
    # channels of one file are one slide
    files = {own_metadata(layer).get("source", layer) for layer in slides}
    if len(files) == 1:
        return layer_placement(slides[0]), ""
    why = "no slide is open" if not slides else f"{len(files)} slides are open and none is selected"
    way_out = "open its slide first" if not slides else "select its slide"
    return scan_placement(None), f"{path.name} lies in px, since {why}: {way_out}, and open it again."


def _is_slide(layer: Any) -> bool:
    return isinstance(layer, Image) and layer.ndim == 2 and not {"result", "port"} & set(own_metadata(layer))
