"""The range of values that a map is shown in: as its port says, unless that would be black and white only."""

from __future__ import annotations

from typing import Any

import numpy as np

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.ports.shown import fitted, is_dab, is_spread, looked_at


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


def _look(layer: Any) -> Any:
    levels = layer.data if layer.multiscale else [layer.data]
    number, steps = looked_at([level.shape for level in levels])
    return np.asarray(levels[number][steps])
