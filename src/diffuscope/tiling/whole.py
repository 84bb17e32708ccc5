"""The plan of a whole case: one tile that is the whole input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from diffuscope.tiling.axis import make_axis
from diffuscope.tiling.plan import Plan, resampled


def make_whole_plan(*, shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float] | None = None) -> Plan:
    """Return a plan of one tile.

    Parameters
    ----------
    shape : sequence of int
        Of the input along (y, x) or (z, y, x), in its own px; (1, 1) where there is no image at all.
    factors : sequence of float
        Input px per model px along the same axes.
    spacing : sequence of float, optional
        Size of the input's px along the same axes, µm or mm.
    """
    axes = [
        make_axis(extent, factor=factor, tile=1, overlap=0, part=(0, extent))
        for extent, factor in zip(shape, factors, strict=True)
    ]
    tiles = tuple(replace(axis, tile=axis.size) for axis in axes)
    return Plan(axes=tiles, selected=np.ones((1,) * len(tiles), bool), spacing=resampled(spacing, factors))
