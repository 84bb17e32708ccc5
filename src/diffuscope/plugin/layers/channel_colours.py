"""Channels in the colours of the inputs that they are chosen for: vessels magenta, nuclei blue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.looks import safe_colormap
from diffuscope.ports.raster import Raster


def colour_channels(layers: Sequence[Any], ports: Sequence[Raster]) -> None:
    """Give layers the colormaps of their ports, unless a user has chosen one: then theirs is neither gray nor ours."""
    for layer, port in zip(layers, ports, strict=False):
        colormap = safe_colormap(port.colormap)
        if layer is None or layer.rgb or colormap == "gray":
            continue
        given = own_metadata(layer).get("coloured")
        # gray again after we coloured it is a choice, too
        if layer.colormap.name == (given or "gray") and given != colormap:
            layer.colormap = colormap
            layer.blending = "additive"
            layer.metadata[KEY] = {**own_metadata(layer), "coloured": colormap}
