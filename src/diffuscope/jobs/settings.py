"""How to sample: a preset of the system, with what the user chose instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import System
from diffuscope.systems.bounds import STEPS

# All of a tile are in memory at once; mean and standard deviation are known to 3 % by then.
_SAMPLES = 1000


class SampleRequest(TypedDict, total=False):
    """What the user said of how to sample, as of `diffuscope.api.run.run`; None leaves the choice."""

    quality: str | None
    sampler: str | None
    steps: int | None
    samples: int | None
    options: Mapping[str, float] | None
    want: Sequence[str]


def choose_quality(system: System, quality: str | None) -> str:
    """Return the name of the preset that is meant, the first where nobody says."""
    return pick(quality, tuple(system.presets), "quality") if quality else next(iter(system.presets))


def choose_settings(
    system: System,
    quality: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    samples: int | None = None,
    options: Mapping[str, float] | None = None,
    want: Sequence[str] = (),
) -> SampleSettings:
    """Return the preset with what the user chose instead.

    A sampler chosen without steps takes those of the preset that uses it: ancestral sampling needs all T.
    """
    check_number("steps", steps, most=STEPS)
    check_number("samples", samples, most=_SAMPLES)
    for key, value in (options or {}).items():
        option = {one.key: one for one in system.options}[pick(key, tuple(one.key for one in system.options), "option")]
        if not option.range[0] <= value <= option.range[1]:
            raise InputError(f"{key} must lie between {option.range[0]:g} and {option.range[1]:g}, got {value:g}.")
    preset = system.presets[choose_quality(system, quality)]
    if sampler is not None and sampler != preset.sampler:
        own = (one.steps for one in system.presets.values() if one.sampler == sampler)
        preset = replace(preset, sampler=pick(sampler, system.samplers, "sampler"), steps=next(own, preset.steps))
    chosen = {**preset.options, **(options or {})}
    settings = replace(preset, steps=steps or preset.steps, samples=samples or preset.samples, options=chosen)
    settings = replace(settings, wanted=tuple(want))
    system.check(settings)
    return settings


def stated(settings: SampleSettings) -> dict[str, Any]:
    """Return what the run record and the command line state of every run's settings."""
    return {"sampler": settings.sampler, "steps": settings.steps, "samples": settings.samples}


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
        raise InputError(f'there is no {what} "{value}": choose one of {", ".join(among)}.')
    return value
