"""How layers look whose meaning neither their name nor a scale of greys would tell."""

from __future__ import annotations

from typing import Any

from napari.utils import Colormap

from diffuscope.ports.raster import Raster

#: Lies over the image that it speaks of: opaque where support is 0, not to be seen where it is 1.
ORANGE = Colormap([[1.0, 0.5, 0.0, 1.0], [1.0, 0.5, 0.0, 0.0]], name="support")


def look(port: Raster) -> dict[str, Any]:
    """Return name and colormap of a port's layer."""
    if port.key == "support":
        return {"name": f"{port.name} (low: orange)", "colormap": ORANGE}
    return {"name": port.name, **({"colormap": port.colormap} if port.kind == "map" else {})}
