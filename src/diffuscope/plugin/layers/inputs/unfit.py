"""Why a layer cannot be an image of a model that takes flat grey ones, in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari.layers import Image, Labels

from diffuscope.plugin.layers.facts import is_result


def unfit(layer: Any) -> str:
    """Say why a layer is not offered, and what to do; nothing where it is, or where nobody would look for it."""
    if is_result(layer):
        return ""
    if isinstance(layer, Labels):
        return f"“{layer.name}” holds labels and no image: open the image that they were drawn on."
    if not isinstance(layer, Image):
        return ""
    if layer.rgb:
        return f"“{layer.name}” is in colour, and grey is needed: right-click it and choose Split RGB."
    if layer.ndim != 2:
        what = "volume" if layer.ndim == 3 else f"stack of {layer.ndim} axes"
        return f"“{layer.name}” is a {what}, and a flat image is needed: open one of its slices as an image."
    return ""


def unfit_text(layers: Iterable[Any]) -> str:
    """Return the sentences of all layers, a line each."""
    return "\n".join(filter(None, map(unfit, layers)))
