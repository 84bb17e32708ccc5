"""Places of a result that are worth a look, and the way there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffuscope.plugin.layers.placement import in_units, world_units

#: How many places are told of one map.
MOST = 20
#: Px along a side of the level that is looked at, at most; of the window whose mean is taken; between two places.
_SIDE, _WINDOW, _APART = 512, 9, 18
#: What a px of the layer that is looked at measures at least on the screen, px.
_CLOSE = 2.0


def most_uncertain(layer: Any) -> list[tuple[float, ...]]:
    """Return where the mean of a map over a small window is highest, highest first, in px of its finest level.

    Places lie at least two windows apart; those where nothing is unsure are left out.
    """
    from scipy import ndimage

    levels = layer.data if layer.multiscale else [layer.data]
    level = next((one for one in levels if max(one.shape[-2:]) <= _SIDE), levels[-1])
    values = np.nan_to_num(np.asarray(level, np.float32))
    size = (*(1,) * (values.ndim - 2), _WINDOW, _WINDOW)
    means = ndimage.uniform_filter(values, size, mode="constant")
    factors = np.array(levels[0].shape[-values.ndim :]) / np.array(values.shape)
    found: list[tuple[float, ...]] = []
    while len(found) < MOST and means.max() > 0:
        at = np.unravel_index(int(means.argmax()), means.shape)
        found.append(tuple(((np.array(at) + 0.5) * factors - 0.5).tolist()))
        near = tuple(
            slice(max(0, place - half), place + half + 1)
            for place, half in zip(at, (*(0,) * (values.ndim - 2), _APART, _APART), strict=True)
        )
        means[near] = 0
    return found


def look_at(viewer: Any, layer: Any, place: ArrayLike) -> None:
    """Bring a place of a layer, in px of its finest level, into the middle of the view, closer where it is far off."""
    at, next_to = (_in_world(viewer, layer, np.asarray(place, float) + step) for step in (0.0, 1.0))
    first = viewer.dims.ndim - len(at)
    displayed = [axis - first for axis in viewer.dims.displayed if axis >= first]
    for axis in set(range(len(at))) - set(displayed):
        viewer.dims.set_point(first + axis, float(at[axis]))
    viewer.camera.center = tuple(at[displayed].tolist())
    viewer.camera.zoom = max(viewer.camera.zoom, _CLOSE / abs(float(next_to[-1] - at[-1])))


def _in_world(viewer: Any, layer: Any, place: NDArray[np.float64]) -> NDArray[np.float64]:
    return in_units(layer.data_to_world(place), layer.units, world_units(viewer) or layer.units)
