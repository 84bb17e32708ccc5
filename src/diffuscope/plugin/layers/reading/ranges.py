"""The range of values that a map is shown in: as its port says, unless that would be black and white only."""

from __future__ import annotations

from math import floor, log10
from typing import Any

import numpy as np

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.reading.meaning import is_dab, is_spread

#: Px along a side of the level that is looked at, at most.
_SIDE = 512
#: Slices of a volume that are looked at, about.
_SLICES = 8
#: What part of the px may be brighter than the range's end, per cent.
_ABOVE = 0.5
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def fit(layer: Any) -> None:
    """Give a layer of a complete result the range that its values need, unless a user has given it another.

    How unsure a model is differs by its slide: from nothing to nearly all values. Of densities the range is only made
    longer, so that slides can be compared.
    """
    own = own_metadata(layer)
    key, declared = str(own.get("port", "")), own.get("range")
    if not own.get("complete") or declared is None or not (is_dab(key) or is_spread(key)):
        return
    if tuple(layer.contrast_limits) != tuple(declared):
        return
    high = fitted(_look(layer), declared, shorten=is_spread(key))
    if high != declared[1]:
        layer.contrast_limits_range = (declared[0], max(high, declared[1]))
        layer.contrast_limits = (declared[0], high)


def fitted(values: Any, declared: tuple[float, float], *, shorten: bool) -> float:
    """Return a round end of the range below which nearly all values lie.

    Parameters
    ----------
    values : array-like
        Of a map, NaN where nothing was computed.
    declared : tuple of float
        The range that it was meant to have.
    shorten : bool
        Whether the end may be lower than that of `declared`.
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return declared[1]
    most = float(np.percentile(known, 100 - _ABOVE)) - declared[0]
    if most <= 0 or (most <= declared[1] - declared[0] and not shorten):
        return declared[1]
    return declared[0] + _round_up(most)


def _round_up(value: float) -> float:
    unit = 10.0 ** floor(log10(value))
    return float(next(step for step in _STEPS if step * unit >= value * (1 - 1e-9)) * unit)


def _look(layer: Any) -> Any:
    """Return the finest level that is small enough; of a volume some slices."""
    levels = layer.data if layer.multiscale else [layer.data]
    level = next((one for one in levels if max(one.shape[-2:]) <= _SIDE), levels[-1])
    steps = [max(1, side // _SIDE) for side in level.shape]
    if len(steps) > 2:
        steps[0] = max(1, level.shape[0] // _SLICES)
    return np.asarray(level[tuple(slice(None, None, step) for step in steps)])
