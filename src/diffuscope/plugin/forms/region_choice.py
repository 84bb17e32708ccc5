"""What of an input is computed: from what is chosen, drawn and seen to regions in its pixels and to slices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.plugin.forms.planes import slice_text
from diffuscope.plugin.forms.regions import current_slice, layer_region, layer_regions, view_region
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.layers.facts import finest, input_placement, volume_lies
from diffuscope.plugin.layers.placement import in_units, world_units
from diffuscope.plugin.layers.slides import region_layer
from diffuscope.tiling.region import Region

#: Of a region that is smaller, px of the model, nobody can say much: it is a cell or two.
SMALL = 32


def chosen_region(viewer: Any, form: RunForm, layer: Any) -> Region | None:
    """Return the one part of a slide, or of every slice of a volume, that is computed; None for all.

    Raises
    ------
    InputError
        As of `chosen_regions`; several are drawn.
    """
    regions = chosen_regions(viewer, form, layer)
    if len(regions) > 1:
        raise InputError(f"{len(regions)} shapes are drawn: select the one that is meant.")
    return next(iter(regions.values()), None)


def chosen_regions(viewer: Any, form: RunForm, layer: Any) -> dict[str, Region]:
    """Return the parts of a slide, or the one of every slice of a volume, that are computed, by name; none for all.

    Raises
    ------
    InputError
        Nothing is drawn, or nothing that can be computed; the view shows nothing of the layer; a shape lies off it.
    """
    if layer is None or (form.model is not None and form.model.whole):
        return {}  # the form has a sentence for that; a whole case has no parts
    if form.region == "view":
        return {"": view_region(viewer, layer)}
    if form.region != "shape" and not form.within:
        return {}
    shapes = region_layer(viewer)
    if shapes is None:
        raise InputError(f"Nothing is drawn yet: press Draw… and draw {form.kind.scope.drawn}.")
    if layer.ndim == 2:
        regions = layer_regions(shapes, layer)
    else:
        at = in_units(viewer.dims.point, world_units(viewer), layer.units).tolist()
        regions = {"": layer_region(shapes, layer, at)}
    for name, region in regions.items():
        form.kind.scope.check_drawn(region, shapes.name)
        _check_there(region, layer, name if len(regions) > 1 else "")
    return regions


def chosen_slices(viewer: Any, form: RunForm, layer: Any) -> str | None:
    """Return the slice that the user looks at as ``"first:end"``, where that one is asked for."""
    if form.region != "slice":
        return None
    at = current_slice(viewer, layer)
    return f"{at}:{at + 1}"


def region_text(viewer: Any, form: RunForm, layer: Any) -> str:
    """Say which slice and which rectangle are computed, and what is odd about it; empty where the choice says all."""
    if layer is None or _lacks_a_layer(form):
        return ""  # that comes first, and the form has a sentence for it
    texts = [slice_text(viewer, layer)] if form.region == "slice" else []
    if form.region in ("shape", "view") or form.within:
        try:
            regions = chosen_regions(viewer, form, layer)
        except InputError as error:
            return "<br>".join([*texts, str(error)])
        if form.region != "view":
            texts += [_drawn(regions, region_layer(viewer))] if regions else []
        texts += _small(regions, form)
    return "<br>".join(texts)


def region_problem(viewer: Any, form: RunForm, layer: Any) -> str:
    """Say what stands in the way of computing what is chosen, in one sentence; empty where nothing does."""
    try:
        chosen_regions(viewer, form, layer)
    except InputError as error:
        return str(error)
    return ""


def input_shape(layer: Any) -> tuple[int, ...]:
    """Return the px of a slide along (y, x), or of the upright volume along (z, y, x)."""
    if layer.ndim == 2:
        height, width = finest(layer).shape[:2]
        return int(height), int(width)
    lattice = volume_lies(layer).lattice
    return tuple(int(side) for side in (lattice.shape if lattice is not None else finest(layer).shape))


def place_seen(viewer: Any, layer: Any, world: Sequence[float] = ()) -> tuple[float, ...]:
    """Return a place of the viewer's world on a slide, (y, x) in its level-0 px; left out, the middle of the view.

    Raises
    ------
    InputError
        In the 3D view, which has no one place.
    """
    if viewer.dims.ndisplay != 2:
        raise InputError("The current view is 3D: switch to 2D to look at a place of it.")
    place = np.array(viewer.dims.point, float)
    place[list(viewer.dims.displayed)] = viewer.camera.center[-2:]
    seen = in_units(list(world) or place.tolist(), world_units(viewer), layer.units)
    return input_placement(layer).to_input(seen.tolist())


def _lacks_a_layer(form: RunForm) -> bool:
    ports = form.model.inputs if form.model is not None else ()
    return any(port.required and layer is None for port, layer in zip_longest(ports, form.inputs[: len(ports)]))


def _drawn(regions: dict[str, Region], shapes: Any) -> str:
    if len(regions) > 1:
        return f"{len(regions)} regions, a result each: {', '.join(regions)}"
    [(name, region)] = regions.items()
    size = f"{region.width:,} × {region.height:,} px at x {region.x}, y {region.y}"
    return size if len(shapes.data) == 1 else f"Only {name}, which is selected: {size}"


def _small(regions: dict[str, Region], form: RunForm) -> list[str]:
    """Say which regions are too small to tell much."""
    main, model = form.main, form.model
    mpp = form.mpp or (main.mpp if main else None)
    if model is None or not model.inputs or mpp is None:
        return []
    told = []
    for name, region in regions.items():
        width, height = region.width * mpp, region.height * mpp
        if min(width, height) < SMALL * model.mpp:
            which = f"“{name}” is" if len(regions) > 1 else "That is"
            told.append(f"{which} only {width:.2g} × {height:.2g} µm: too small to tell much. Draw a larger one.")
    return told


def _check_there(region: Region, layer: Any, name: str) -> None:
    """Refuse a region that has no px in common with a layer."""
    *_, height, width = input_shape(layer)
    if region.x >= width or region.y >= height or region.x + region.width <= 0 or region.y + region.height <= 0:
        which = f"“{name}”" if name else "What is drawn"
        raise InputError(f"{which} lies off “{layer.name}”: draw it on the image.")
