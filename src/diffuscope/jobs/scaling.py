"""How files are brought to the scales of their ports: by numbers of the whole slide or volume, never tile by tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from diffuscope.jobs.inputs import PortInput, Values
from diffuscope.scans import Foreground
from diffuscope.stains import StainStatistics

#: By port key, the stains that an input is known to have; None leaves it as it is.
Stains = Mapping[str, StainStatistics | None]


def find_foreground(inputs: Sequence[PortInput]) -> Foreground:
    """Return where inputs of one lattice show anything.

    Never by the ranges that were given: a run that is gone on with, or repeated, must find the same foreground.
    """
    first, *beside = (one.scan for one in inputs)
    return first.foreground(beside, [None if one.port.scale == "percentile" else one.port.range for one in inputs])


def with_statistics(
    inputs: Sequence[PortInput],
    inside: Foreground,
    ranges: Mapping[str, Values] | None = None,
    stains: Stains | None = None,
    *,
    factors: Sequence[float],
) -> tuple[PortInput, ...]:
    """Return the inputs with what brings them to their ports: by numbers of the whole slide or volume.

    Parameters
    ----------
    inputs : sequence of PortInput
        All of one lattice.
    inside : Foreground
        Theirs, of which percentiles are taken and stains measured.
    ranges, stains : mapping, optional
        By port key, what is given and not measured.
    factors : sequence of float
        Their px per px of the model, along their axes.
    """
    return tuple(_with_statistics(one, inside, ranges or {}, stains or {}, factors) for one in inputs)


def _with_statistics(
    one: PortInput, inside: Foreground, ranges: Mapping[str, Values], stains: Stains, factors: Sequence[float]
) -> PortInput:
    key, scan = one.port.key, one.scan
    if one.port.scale == "stain":
        return replace(one, stains=stains[key] if key in stains else scan.stains(inside, factors=factors))
    if one.port.scale == "percentile":
        return replace(one, values=ranges[key] if key in ranges else scan.percentiles(inside, factors=factors))
    return one
