"""The range of values that a map is shown in, in the window as in pictures and reports."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Any

import numpy as np

#: Behind the key of an image, that of how far its samples differ.
SPREAD = "_sd"
#: What part of the px may be brighter than the range's end, per cent.
_ABOVE = 0.5
# Px along a side of the level that is looked at, at most; slices of a volume that are looked at, about.
_SIDE, _SLICES = 512, 8
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def is_dab(key: str) -> bool:
    """Whether the image of a port is DAB density."""
    return key == "dab" or key.startswith("dab_")


def is_spread(key: str) -> bool:
    """Whether the image of a port tells how unsure another one is."""
    return key.startswith("uncertainty") or key.endswith(SPREAD)


def looked_at(levels: Sequence[Sequence[int]]) -> tuple[int, tuple[slice, ...]]:
    """Return which level of a map its range is found from, and which of its px.

    Parameters
    ----------
    levels : sequence of sequence of int
        Px of each along (y, x) or (z, y, x), finest first.

    Returns
    -------
    number : int
        Of the finest that is small enough, else of the coarsest.
    steps : tuple of slice
        Along its axes; of a volume some slices.
    """
    number = next((n for n, sides in enumerate(levels) if max(sides[-2:]) <= _SIDE), len(levels) - 1)
    steps = [max(1, side // _SIDE) for side in levels[number]]
    if len(steps) > 2:
        steps[0] = max(1, levels[number][0] // _SLICES)
    return number, tuple(slice(None, None, step) for step in steps)


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
    # values are float32, in which 0.1 is a little more
    unit = 10.0 ** floor(log10(value))
    return float(next(step for step in _STEPS if step * unit >= value * (1 - 1e-6)) * unit)
