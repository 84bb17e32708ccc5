"""Scores of a result: a small file beside its images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from diffuscope.files.durable import replacing
from diffuscope.ports.numbers import Value
from diffuscope.ports.port import Port
from diffuscope.ports.score import Score
from diffuscope.results.beside.spread import over_guides, predictive
from diffuscope.results.values import TileValues

SCORES = "scores.json"
#: Decided of a score whose interval holds the threshold.
UNDECIDED = "undecided"
Draws = Sequence[float] | Sequence[Sequence[float]]


@dataclass(frozen=True)
class Scored:
    """What came out at a score port.

    Attributes
    ----------
    port : Score
        Which.
    draws : tuple of tuple of float
        Probability of the second class: of each member of the system its samples. One member of a system without
        members, one number of a system that runs tile by tile.
    """

    port: Score
    draws: tuple[tuple[float, ...], ...]

    @property
    def samples(self) -> tuple[float, ...]:
        """All draws, member after member."""
        return tuple(one for own in self.draws for one in own)

    @property
    def mean(self) -> float:
        """Mean over all draws, which is the score; NaN where it is not known."""
        return float(np.mean(self.samples))

    @property
    def predictive(self) -> tuple[float, float] | None:
        """Where 90 % of the draws of the class lie; None of a single number, or where it is not known."""
        return predictive(self.samples) if len(self.samples) > 1 and not math.isnan(self.mean) else None

    @property
    def over_guides(self) -> tuple[float, float] | None:
        """Where models trained on other patients of the same kind would score this case, nominally 90 % of them.

        None of a system without members, or with one draw of each, or where the score is not known.
        """
        several = min(len(self.draws), len(self.draws[0])) > 1
        return over_guides(self.draws) if several and not math.isnan(self.mean) else None

    @property
    def decision(self) -> str:
        """The class that the threshold decides for, or that it is undecided; empty without threshold or score."""
        if self.port.threshold is None or math.isnan(self.mean):
            return ""
        if self.is_undecided:
            return UNDECIDED
        return self.port.classes[int(self.mean >= self.port.threshold)]

    @property
    def is_undecided(self) -> bool:
        """Whether models trained on other patients may put the score on the other side of the threshold."""
        if self.port.threshold is None or self.over_guides is None:
            return False
        low, high = self.over_guides
        return low < self.port.threshold <= high

    @property
    def verdict(self) -> str:
        """The decision in words; empty where there is none."""
        if not self.decision or self.port.threshold is None:
            return ""
        side = "below" if self.mean < self.port.threshold else "not below"
        why = ", which such models disagree about" if self.is_undecided else ""
        return f"{side} the threshold of {self.port.threshold:.2f}{why}: {self.decision}"

    @property
    def summary(self) -> str:
        """In words: the score, what each interval covers, and on which side of the threshold it lies."""
        if math.isnan(self.mean):
            return f"{self.port.classes[1]} not known"
        parts = []
        if self.over_guides is not None:
            parts.append(f"trained on other such patients: {_range(self.over_guides)}, nominally 90 %")
        if self.predictive is not None:
            parts.append(f"90 % of the {len(self.samples)} draws of the class: {_range(self.predictive)}")
        spread = f" ({'; '.join(parts)})" if parts else ""
        decided = f"; {self.verdict}" if self.verdict else ""
        return f"{self.port.classes[1]} {self.mean:.2f}{spread}{decided}"


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"


def tile_values(outputs: Sequence[Port]) -> tuple[Value, ...]:
    """Return what a tiled system's score ports tell of each tile."""
    return tuple(Value(name=port.name, key=port.key, range=(0.0, 1.0)) for port in outputs if isinstance(port, Score))


def mean_scores(values: TileValues, outputs: Sequence[Port]) -> dict[str, list[float]]:
    """Return the scores of a tiled system's result by key: the mean over its tiles, of each its last evaluation."""
    arrays = values.arrays
    keys = [port.key for port in outputs if isinstance(port, Score)]
    last = {key: arrays[key][..., -1] for key in keys}
    return {
        key: [float(told[~np.isnan(told)].mean(dtype=np.float64))] if np.isfinite(told).any() else [math.nan]
        for key, told in last.items()
    }


def write_scores(folder: Path, scores: Mapping[str, Draws]) -> None:
    """Write the draws of each score, by key, into a result folder: (samples,) or (members, samples).

    Raises
    ------
    ValueError
        A sample is no probability: neither in [0, 1] nor NaN, which says that it is not known.
    """
    for key, samples in scores.items():
        draws = [one for own in _members(samples) for one in own]
        if wrong := [one for one in draws if not (math.isnan(one) or 0.0 <= one <= 1.0)]:
            raise ValueError(f"the score {key!r} is {wrong[0]:g}, and a probability lies in [0, 1]")
    with replacing(folder / SCORES) as opened:
        opened.write(json.dumps({key: list(samples) for key, samples in scores.items()}).encode())


def read_scores(folder: Path, others: Sequence[Port]) -> dict[str, Scored]:
    """Read what `write_scores` wrote; none before a run has ended."""
    path = folder / SCORES
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    draws = {key: _members(samples) for key, samples in found.items()}
    for own in draws.values():
        if len({len(one) for one in own}) != 1 or not own[0] or not all(map(_is_probability, chain.from_iterable(own))):
            raise ValueError(f"{SCORES} holds no probabilities")
    ports = [port for port in others if isinstance(port, Score) and port.key in draws]
    return {port.key: Scored(port, draws[port.key]) for port in ports}


def scored(port: Score, samples: Draws) -> Scored:
    """Return draws, (samples,) or (members, samples), as what came out at a port."""
    return Scored(port, _members(samples))


def _members(samples: Draws) -> tuple[tuple[float, ...], ...]:
    """Return draws by member: a plain list, of a system without members and of older results, is one member's."""
    nested = [one for one in samples if isinstance(one, list | tuple)]
    if nested and len(nested) < len(samples):
        raise ValueError(f"{SCORES} mixes draws and members")
    return tuple(tuple(one) for one in nested) if nested else (tuple(samples),)  # type: ignore[arg-type]


def _is_probability(one: object) -> bool:
    return isinstance(one, float | int) and not one < 0 and not one > 1
