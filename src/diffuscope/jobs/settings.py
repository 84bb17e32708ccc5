"""How to sample: a preset of the system, with what the user chose instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, Unpack, cast

from diffuscope.errors import InputError, choice
from diffuscope.ports.settings import SampleRequest, SampleSettings
from diffuscope.systems.base import System
from diffuscope.systems.bounds import STEPS

# All of a tile are in memory at once; mean and standard deviation are known to 3 % by then.
_SAMPLES = 1000


def choose_quality(system: System, quality: str | None) -> str:
    """Return the name of the preset that is meant, the first where nobody says."""
    return pick(quality, tuple(system.presets), "quality") if quality else next(iter(system.presets))


def choose_settings(system: System, **request: Unpack[SampleRequest]) -> SampleSettings:
    """Return the preset with what the user chose instead.

    A sampler chosen without steps takes those of the preset that uses it: ancestral sampling needs all T.
    """
    chosen = {name: value for name, value in request.items() if value is not None}
    preset = system.presets[choose_quality(system, request.get("quality"))]
    options, sampler = request.get("options") or {}, request.get("sampler")
    check_number("steps", request.get("steps"), most=STEPS)
    check_number("samples", request.get("samples"), most=_SAMPLES)
    _check_options(system, options)
    if sampler is not None and sampler != preset.sampler:
        own = (one.steps for one in system.presets.values() if one.sampler == sampler)
        preset = replace(preset, sampler=pick(sampler, system.samplers, "sampler"), steps=next(own, preset.steps))
    others = {name: value for name, value in chosen.items() if name not in ("quality", "options", "want")}
    settings = replace(
        preset, options={**preset.options, **options}, wanted=tuple(request.get("want", ())), **cast("Any", others)
    )
    system.check(settings)
    return settings


def _check_options(system: System, options: Mapping[str, float]) -> None:
    known = {one.key: one for one in system.options}
    for key, value in options.items():
        low, high = known[pick(key, tuple(known), "option")].range
        if isinstance(value, bool) or not isinstance(value, Real):
            raise InputError(f"{key} must be a number, got {value!r}.")
        if not low <= value <= high:
            raise InputError(f"{key} must lie between {low:g} and {high:g}, got {value:g}.")


def check_number(name: str, number: int | None, *, most: int, least: int = 1) -> None:
    """Refuse a number that makes no sense; None leaves the choice.

    Raises
    ------
    InputError
        It is less than `least` or more than `most`.
    """
    if number is not None and not least <= number <= most:
        bound = f"at least {least}" if number < least else f"at most {most}"
        raise InputError(f"{name} must be {bound}, got {number}.")


def pick(value: str, among: tuple[str, ...], what: str) -> str:
    """Return `value` if it is one of the names there are."""
    if not among:
        raise InputError(f'there is no {what} "{value}": this model has none.')
    if value not in among:
        raise InputError(f'there is no {what} "{value}": {choice(value, among)}.')
    return value
