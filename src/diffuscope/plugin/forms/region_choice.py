"""What of an input is computed: from what is chosen, drawn and seen to a region in its pixels and to slices."""

from __future__ import annotations

from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.forms.planes import slice_text
from diffuscope.plugin.forms.regions import current_slice, layer_region, view_region
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.layers.placement import in_units, world_units
from diffuscope.plugin.layers.slides import region_layer
from diffuscope.tiling.region import Region


def chosen_region(viewer: Any, form: RunForm, layer: Any) -> Region | None:
    """Return the part of a slide, or of every slice of a volume, that is computed; None for all.

    Raises
    ------
    InputError
        Nothing is drawn, or nothing that can be computed; the view shows nothing of the layer.
    """
    if layer is None:
        return None  # the form has a sentence for that
    if form.region == "view":
        return view_region(viewer, layer)
    if form.region != "shape" and not form.within:
        return None
    shapes = region_layer(viewer)
    if shapes is None:
        raise InputError(f"Nothing is drawn yet: press Draw… and draw {form.kind.scope.drawn}.")
    region = layer_region(shapes, layer, in_units(viewer.dims.point, world_units(viewer), layer.units).tolist())
    form.kind.scope.check_drawn(region, shapes.name)
    return region


def chosen_slices(viewer: Any, form: RunForm, layer: Any) -> str | None:
    """Return the slice that the user looks at as ``"first:end"``, where that one is asked for."""
    if form.region != "slice":
        return None
    at = current_slice(viewer, layer)
    return f"{at}:{at + 1}"


def region_text(viewer: Any, form: RunForm, layer: Any) -> str:
    """Say which slice and which rectangle are computed; empty where the choice says it all."""
    if layer is None:
        return ""
    texts = [slice_text(viewer, layer)] if form.region == "slice" else []
    if form.region == "shape" or form.within:
        try:
            region = chosen_region(viewer, form, layer)
            texts += [f"{region.width:,} × {region.height:,} px at ({region.x:,}, {region.y:,})"] if region else []
        except InputError as error:
            texts.append(str(error))
    return "<br>".join(texts)
