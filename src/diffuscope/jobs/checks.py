"""What a user gave, checked before a run: place, room, settings, pixels. One sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.result import is_result
from diffuscope.scans import Scan, Volume
from diffuscope.stains import StainStatistics
from diffuscope.systems.base import System
from diffuscope.tiling.boxes import halves
from diffuscope.tiling.plan import Plan

# Outside these a slide's µm/px is a slip of unit or comma, not an objective.
PLAUSIBLE_MPP = (0.02, 50.0)


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


def check_resumed(out: Path, begun: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a result that another model, slide or setting began.

    Parameters
    ----------
    out : Path
        The unfinished result.
    begun, asked : dict
        Run records: of the result, and of the run that wants to go on with it.
    """
    for part, what in (("model", "hash"), ("inputs", None), ("parameters", None), ("compute", None)):
        # What is only in `begun` under "compute" tells what happened to that run, not what it was asked for; what is
        # only in `asked` is a choice that the Diffuscope that began it did not have.
        keys = (
            {what} if what else {*asked[part]} & {*begun[part]} if part == "compute" else {*begun[part], *asked[part]}
        )
        for key in sorted(keys):
            old, new = (_plain(record[part].get(key)) for record in (begun, asked))
            if old != new:
                name = {"model": "model", "inputs": "input"}.get(part, key)
                raise InputError(
                    f"{out.name} was begun with {name} {_short(old)} and this run asks for {_short(new)}: "
                    f"ask for the same to resume it, or say --overwrite to begin again."
                )


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _short(value: Any) -> str:
    """Return what tells two values of a record apart: of an input its name, fingerprint and how it was taken."""
    if isinstance(value, dict):
        told = [str(value["fingerprint"])[:8], f"{value['mpp']:.4g} µm/px"]
        told += [f"channel {value['channel']}"] if "channel" in value else []
        told += ["range {:g}:{:g}".format(*value["values"])] if "values" in value else []
        told += [f"normalised from {StainStatistics.from_json(value['stains']).summary}"] if "stains" in value else []
        return f"{value['name']} ({', '.join(told)})"
    text = str(value)
    return text[:8] if len(text) == 64 else text


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


def choose_settings(
    system: System,
    quality: str,
    sampler: str | None,
    steps: int | None,
    samples: int | None,
    options: Mapping[str, float] | None = None,
) -> SampleSettings:
    """Return the preset with what the user chose instead.

    A sampler chosen without steps takes those of the preset that uses it: ancestral sampling needs all T.
    """
    for name, number in (("steps", steps), ("samples", samples)):
        if number is not None and number < 1:
            raise InputError(f"{name} must be at least 1, got {number}.")
    for key, value in (options or {}).items():
        option = {one.key: one for one in system.options}[pick(key, tuple(one.key for one in system.options), "option")]
        if not option.range[0] <= value <= option.range[1]:
            raise InputError(f"{key} must lie between {option.range[0]:g} and {option.range[1]:g}, got {value:g}.")
    preset = system.presets[quality]
    if sampler is not None and sampler != preset.sampler:
        own = (one.steps for one in system.presets.values() if one.sampler == sampler)
        preset = replace(preset, sampler=pick(sampler, system.samplers, "sampler"), steps=next(own, preset.steps))
    chosen = {**preset.options, **(options or {})}
    settings = replace(preset, steps=steps or preset.steps, samples=samples or preset.samples, options=chosen)
    system.check(settings)
    return settings


def pick(value: str, among: tuple[str, ...], what: str) -> str:
    """Return `value` if it is one of the names there are."""
    if not among:
        raise InputError(f'there is no {what} "{value}": this model has none.')
    if value not in among:
        raise InputError(f'there is no {what} "{value}": choose one of {", ".join(among)}.')
    return value


def check_port(scan: Scan | Volume, port: Raster, model: str) -> None:
    """Refuse a scan whose pixels are not what the port declares."""
    if (port.spacing is not None) != isinstance(scan, Volume):
        kinds = ("a volume", "slides") if isinstance(scan, Volume) else ("no volume", "volumes")
        raise InputError(f"{scan.name} is {kinds[0]}, but model {model} works on {kinds[1]}: give one.")
    if isinstance(scan, Volume):
        return
    channels = len(port.channels)
    fits = scan.rgb if port.kind == "rgb" else len(scan.channels) == channels
    if fits and (scan.dtype == np.dtype(port.dtype) or port.dtype == "float32" or port.scale == "percentile"):
        return
    bits = 8 * np.dtype(port.dtype).itemsize
    needed = f"{bits}-bit RGB" if port.kind == "rgb" else f"{bits}-bit, {channels}-channel"
    number = len(scan.channels)
    needed = f"{channels}-channel" if port.dtype == "float32" or port.scale == "percentile" else needed
    listed = f" ({', '.join(scan.channels)})" if 1 < number <= 40 and not scan.rgb else ""
    kind = "an RGB image" if scan.rgb else f"an image of {number} channel{'s' if number != 1 else ''}"
    how = f": say which channel, {scan.name}#NAME" if port.kind == "map" and channels == 1 < number else ""
    raise InputError(f"{scan.name} is {kind}{listed} of type {scan.dtype}, but model {model} needs {needed}{how}.")


def check_mpp(name: str, mpp: float) -> None:
    """Refuse a resolution that no slide has."""
    if not PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]:
        raise InputError(f"{name} would have {mpp:g} µm/px, which no slide has: give its µm/px (--mpp).")
