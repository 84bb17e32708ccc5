"""Whether the disk has room for a run."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from diffuscope.files.room import check_room as check_disk
from diffuscope.ports.raster import Raster
from diffuscope.tiling.boxes import halves
from diffuscope.tiling.plan import Plan


def disk_need(plan: Plan, ports: tuple[Raster, ...]) -> int:
    """Return an upper estimate of the bytes that a run writes: uncompressed pixels, pyramid, tiles in flight."""
    _, lengths = halves(plan.window)
    tile = prod(plan.shape)
    pixels = min(plan.count * tile, prod(lengths))
    stored = sum(len(port.channels) * np.dtype(port.dtype).itemsize for port in ports)
    # A tile is kept, in float32, until its neighbours are there. A volume is worked through plane by plane; on a slide
    # tiles may come from where the user looks outwards: at most two rims around what is done.
    across = prod(plan.selected.shape[1:]) if len(plan.axes) == 3 else 2 * sum(plan.selected.shape)
    kept = min(plan.count, 2 * across) * tile * 4 * sum(len(port.channels) for port in ports)
    return int(pixels * stored * 4 / 3) + kept


def check_room(out: Path, plan: Plan, ports: tuple[Raster, ...]) -> None:
    """Refuse a run that the disk may not have room for."""
    check_disk(out, disk_need(plan, ports))
