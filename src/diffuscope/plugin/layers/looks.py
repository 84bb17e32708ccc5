"""How layers look whose meaning neither their name nor a scale of greys would tell."""

from __future__ import annotations

from typing import Any

from napari.utils import Colormap

from diffuscope.ports.raster import Raster

#: Lies over the image that it speaks of: opaque where support is 0, not to be seen where it is 1.
ORANGE = Colormap([[1.0, 0.5, 0.0, 1.0], [1.0, 0.5, 0.0, 0.0]], name="support")


#: Not to be seen where nothing was looked at, yellow to red where much was.
HEAT = Colormap([[1.0, 0.9, 0.2, 0.0], [1.0, 0.6, 0.1, 0.5], [0.9, 0.1, 0.1, 0.8]], name="relevance")


def look(port: Raster) -> dict[str, Any]:
    """Return name and colormap of a port's layer."""
    if port.key == "support":
        return {"name": f"{port.name} (low: orange)", "colormap": ORANGE}
    if port.key == "relevance":
        return {"name": port.name, "colormap": HEAT}
    return {"name": port.name, **({"colormap": port.colormap} if port.kind == "map" else {})}
