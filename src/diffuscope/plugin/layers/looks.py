"""How layers look whose meaning neither their name nor a scale of greys would tell."""

from __future__ import annotations

from typing import Any

from napari.utils import Colormap

from diffuscope.plugin.settings.preferences import Preferences, preferences
from diffuscope.ports.raster import Raster

#: Lies over the image that it speaks of: opaque where support is 0, not to be seen where it is 1.
ORANGE = Colormap([[1.0, 0.5, 0.0, 1.0], [1.0, 0.5, 0.0, 0.0]], name="support")


#: Not to be seen where nothing was looked at, yellow to red where much was.
HEAT = Colormap([[1.0, 0.9, 0.2, 0.0], [1.0, 0.6, 0.1, 0.5], [0.9, 0.1, 0.1, 0.8]], name="relevance")


#: Red and green are one colour to one man in twelve; magenta and green are two to everyone.
_SAFE = {"red": "magenta"}


def look(port: Raster) -> dict[str, Any]:
    """Return name and colormap of a port's layer."""
    if port.key == "support":
        return {"name": f"{port.name} (low: orange)", "colormap": ORANGE}
    if port.key == "relevance":
        return {"name": titled(port), "colormap": HEAT}
    return {"name": titled(port), **({"colormap": map_colours(port.colormap)} if port.kind == "map" else {})}


def titled(port: Raster) -> str:
    """Return a port's name with its unit."""
    unit = unit_of(port)
    return f"{port.name} ({unit})" if unit and f"({unit})" not in port.name else port.name


def unit_of(port: Raster) -> str:
    """Return what a map counts; empty where that is nothing but a number."""
    if port.kind == "map" and not port.unit and port.channels == ("probability",):
        return "probability"
    return port.unit if port.kind == "map" else ""


def map_colours(name: str) -> str:
    """Return the name of the colormap of a map that has `name` by itself: the one that the user prefers for all."""
    preferred = preferences().colours
    return safe_colormap(name) if preferred == Preferences.colours else preferred


def safe_colormap(name: str) -> str:
    """Return the name of a colormap that can be told from the others by everyone."""
    return _SAFE.get(name, name)
