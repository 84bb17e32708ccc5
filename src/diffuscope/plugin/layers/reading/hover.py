"""What a result tells of one place, in a line: ``DAB 0.44 OD · positive · uncertainty 0.10 OD``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from diffuscope.measurement.threshold import threshold_of
from diffuscope.plugin.layers.facts import finest, own_metadata
from diffuscope.plugin.layers.placement import in_units
from diffuscope.ports.shown import is_dab


def told_at(layers: Iterable[Any], place: Sequence[float], units: Sequence[Any] | None) -> str:
    """Say what the maps of a result tell of a place, seen or hidden.

    Parameters
    ----------
    layers : iterable of layers
        Of one result.
    place : sequence of float
        In napari's world.
    units : sequence or None
        Of `place`; None: those of each layer.

    Returns
    -------
    str
        Empty beside the result.
    """
    parts: list[str] = []
    is_inside = False
    for layer in layers:
        own = own_metadata(layer)
        if getattr(layer, "rgb", True) or not {"port", "value"} & own.keys():
            is_inside = is_inside or ("port" in own and value_at(layer, place, units) is not None)
            continue
        value = value_at(layer, place, units)
        if value is None:
            continue
        is_inside = True
        if np.isfinite(value):
            parts += _words(own, float(value))
    if is_inside and not parts:
        return "not computed here" if _has_maps(layers) else ""
    return " · ".join(parts)


def value_at(layer: Any, place: Sequence[float], units: Sequence[Any] | None) -> Any:
    """Return the value of the finest level of an image layer at a place of the world; None beside it."""
    data = finest(layer)
    own = layer.world_to_data(in_units(place, units, layer.units))
    axes = 2 if layer.rgb else data.ndim
    index = tuple(int(one) for one in np.floor(np.asarray(own, float)[-axes:] + 0.5))
    if not all(0 <= one < side for one, side in zip(index, data.shape[:axes], strict=True)):
        return None
    return np.asarray(data[index])


def _words(own: dict[str, Any], value: float) -> list[str]:
    key = str(own.get("port") or own.get("value"))
    name, unit = str(own.get("title", key)), str(own.get("unit", ""))
    words = [f"{name} {number(value)} {unit}".rstrip()]
    if is_dab(key):
        words.append("positive" if value > threshold_of(own.get("record", {})) else "negative")
    return words


def number(value: float) -> str:
    """Return a value with as many digits as are read at a glance."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}".replace("-", "−")


def _has_maps(layers: Iterable[Any]) -> bool:
    return any(not getattr(layer, "rgb", True) for layer in layers)
