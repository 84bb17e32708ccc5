"""How inputs are written: on a command line, in the run record, and to the user."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import PurePosixPath

from diffuscope.errors import InputError, choice
from diffuscope.files.names import names_apart
from diffuscope.jobs.inputs import PortInput, Values
from diffuscope.jobs.scaling import is_cut
from diffuscope.ports.raster import Raster
from diffuscope.scans import Scan
from diffuscope.stains import StainStatistics


def parse_inputs(given: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
    """Read ``KEY=FILE#CHANNEL`` of a command line; all files of a key that is there twice.

    Raises
    ------
    InputError
        One has another form.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in given:
        key, value = _pair(one, "input", "vessels=slide.ome.tif#CD31")
        found[key] = (*found.get(key, ()), value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def parse_ranges(given: Sequence[str]) -> dict[str, Values]:
    """Read ``KEY=LOW:HIGH`` of a command line.

    Raises
    ------
    InputError
        One has another form, or names a port twice.
    """
    found: dict[str, Values] = {}
    for one in given:
        key, text = _pair(one, "range", "vessels=0:4000")
        if key in found:
            raise InputError(f"range {key} is given twice: give it once.")
        try:
            low, high = (float(number) for number in text.split(":"))
        except ValueError:
            raise InputError(f"range “{one}” is not understood: give it as vessels=0:4000.") from None
        found[key] = (low, high)
    return found


def check_ranges(ranges: Mapping[str, Values], ports: Sequence[Raster]) -> None:
    """Refuse ranges that no port has a use for.

    Raises
    ------
    InputError
        One names no port, or one whose values are taken as stored, or is empty.
    """
    by_key = {port.key: port for port in ports}
    for key, (low, high) in ranges.items():
        if key not in by_key:
            raise InputError(f"there is no input “{key}” to give a range for: {choice(key, by_key)}.")
        if by_key[key].scale != "percentile":
            how = "taken as they are stored" if by_key[key].scale == "stored" else "brought to one reference by stain"
            raise InputError(f"the values of {by_key[key].name} are {how}: leave out its range.")
        if not (isinstance(low, Real) and isinstance(high, Real)):
            raise InputError(f"the range of {by_key[key].name} must be two numbers, got {low!r} and {high!r}.")
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"the range {low:g}:{high:g} of {by_key[key].name} is empty: give low:high.")


def input_notices(inputs: Sequence[PortInput], given: Mapping[str, Values], *, normalise: bool = True) -> list[str]:
    """Return what a user should know of how files were taken: channels, ranges and stains that were not given."""
    told = []
    for one in inputs:
        parts = []
        if one.channel is not None:
            parts.append(f"channel {one.scan.channels[0]} of {one.scan.name}")
        if one.values is not None:
            how = "as given" if one.port.key in given else "percentiles of the foreground"
            parts.append(f"{one.values[0]:g} to {one.values[1]:g} are its range ({how})")
        if one.stains is not None:
            parts.append(_normalised(one, one.stains))
        elif one.port.scale == "stain" and normalise:
            parts.append("no nucleus was found to measure its stains by, so it goes in as it is")
        if parts:
            told.append(f"{one.port.name}: {'; '.join(parts)}.")
    return told


def _normalised(one: PortInput, stains: StainStatistics) -> str:
    """Say by what an H&E is brought to the reference."""
    if stains.measured_on:
        first, *others = stains.measured_on
        of = f"{first} and {len(others)} more of its slide" if others else first
        return f"normalised by the stains of {of} ({stains.summary} OD)"
    if isinstance(one.scan, Scan) and is_cut(one.scan):
        return (
            f"normalised by its own stains ({stains.summary} OD), which so small a cut shows badly: run the slide "
            "itself with a region, or name it with --stains-of"
        )
    return f"normalised by the stains of the whole slide ({stains.summary} OD)"


def command_inputs(inputs: Sequence[PortInput], *, alone: bool) -> tuple[str | None, list[tuple[str, str]]]:
    """Return the source and the flags by which a command line names the inputs again.

    Without folders, but for those that tell files apart that are called alike. `alone` says whether there is nothing
    else that the run was given.
    """
    # What may be left out is called by its name.
    plain = alone and len(inputs) == 1 and inputs[0].channel is None and inputs[0].port.required
    apart = names_apart([one.scan.path for one in inputs])
    named = [f"{one.port.key}={_named(one, known_by)}" for one, known_by in zip(inputs, apart, strict=True)]
    flags = [] if plain else [("input", one) for one in named]
    ranges = [("range", f"{one.port.key}={one.values[0]!r}:{one.values[1]!r}") for one in inputs if one.values]
    return (inputs[0].scan.name if plain else None), [*flags, *ranges]


def _named(one: PortInput, known_by: str) -> str:
    name = (PurePosixPath(known_by).parent / one.scan.name).as_posix()
    return name if one.channel is None else f"{name}#{one.channel}"


def _pair(text: str, what: str, example: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if what == "input" and mark and key and not value.strip():
        raise InputError(f"input {key} is empty: write what goes in behind the =, or leave --input {key} out.")
    if not (mark and key and value):
        raise InputError(f"{what} “{text}” is not understood: give it as {example}.")
    return key, value
