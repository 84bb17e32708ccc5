"""Whether the disk has room for a run, and its place is free."""

from __future__ import annotations

import os
import shutil
from math import prod
from pathlib import Path

import numpy as np

from diffuscope.errors import InputError
from diffuscope.ports.raster import Raster
from diffuscope.results.result import is_result
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
    across = prod(plan.wanted.shape[1:]) if len(plan.axes) == 3 else 2 * sum(plan.wanted.shape)
    kept = min(plan.count, 2 * across) * tile * 4 * sum(len(port.channels) for port in ports)
    return int(pixels * stored * 4 / 3) + kept


def check_out(out: Path, *sources: Path, overwrite: bool) -> bool:
    """Return whether a result is to be replaced; refuse any other thing in the way."""
    if out.exists() or out.is_symlink():
        if not overwrite:
            raise InputError(f"{out} exists already: choose another name, or say --overwrite.")
        if out.is_symlink() or not is_result(out):
            raise InputError(f"{out} is not a Diffuscope result and is never overwritten: choose another name.")
        if any(source.exists() and source.resolve().is_relative_to(out.resolve()) for source in sources):
            raise InputError(f"{out} is also the input and cannot be overwritten: choose another name.")
        return True
    parent = _existing_parent(out)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written into {parent}: choose another place for {out.name}.")
    return False


def _existing_parent(out: Path) -> Path:
    return next(parent for parent in out.absolute().parents if parent.exists())


def check_room(out: Path, plan: Plan, ports: tuple[Raster, ...]) -> None:
    """Refuse a run that the disk may not have room for."""
    parent = _existing_parent(out)
    need, free = disk_need(plan, ports), shutil.disk_usage(parent).free
    if need > free:
        raise InputError(
            f"{out} may need {need / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free in {parent}: "
            "make room, choose a smaller region, or another disk."
        )
