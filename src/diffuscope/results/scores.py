"""Scores and texts of a result: small files beside its images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffuscope.files.durable import replacing
from diffuscope.ports.numbers import Value
from diffuscope.ports.port import Port
from diffuscope.ports.score import Score
from diffuscope.ports.text import Text
from diffuscope.results.values import TileValues

SCORES, TEXTS = "scores.json", "texts"


@dataclass(frozen=True)
class Scored:
    """What came out at a score port.

    Attributes
    ----------
    port : Score
        Which.
    samples : tuple of float
        Probability of the second class by each sample; one number of a system that runs tile by tile.
    """

    port: Score
    samples: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the samples; NaN where it is not known."""
        return float(np.mean(self.samples))

    @property
    def decision(self) -> str:
        """The class that the threshold decides for; empty where there is no threshold, or nothing is known."""
        if self.port.threshold is None or math.isnan(self.mean):
            return ""
        return self.port.classes[int(self.mean >= self.port.threshold)]

    @property
    def summary(self) -> str:
        """In words, e.g. ``"metastasis 0.71 (0.52 to 0.88 over 20 samples): metastasis"``."""
        if math.isnan(self.mean):
            return f"{self.port.classes[1]} not known"
        spread = ""
        if len(self.samples) > 1:
            spread = f" ({min(self.samples):.2f} to {max(self.samples):.2f} over {len(self.samples)} samples)"
        decided = f": {self.decision}" if self.decision else ""
        return f"{self.port.classes[1]} {self.mean:.2f}{spread}{decided}"


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


def write_scores(folder: Path, scores: Mapping[str, Sequence[float]]) -> None:
    """Write the samples of each score, by key, into a result folder.

    Raises
    ------
    ValueError
        A sample is no probability: neither in [0, 1] nor NaN, which says that it is not known.
    """
    for key, samples in scores.items():
        if wrong := [one for one in samples if not (math.isnan(one) or 0.0 <= one <= 1.0)]:
            raise ValueError(f"the score {key!r} is {wrong[0]:g}, and a probability lies in [0, 1]")
    _put(folder / SCORES, json.dumps({key: list(samples) for key, samples in scores.items()}))


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts, by key, into a result folder."""
    (folder / TEXTS).mkdir(exist_ok=True)
    for key, text in texts.items():
        _put(folder / TEXTS / f"{key}.txt", text)


def read_scores(folder: Path, others: Sequence[Port]) -> dict[str, Scored]:
    """Read what `write_scores` wrote; none before a run has ended."""
    path = folder / SCORES
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for samples in found.values():
        if not samples or not all(isinstance(one, float | int) and not one < 0 and not one > 1 for one in samples):
            raise ValueError(f"{SCORES} holds no probabilities")
    return {
        port.key: Scored(port, tuple(found[port.key]))
        for port in others
        if isinstance(port, Score) and port.key in found
    }


def read_texts(folder: Path, others: Sequence[Port]) -> dict[str, str]:
    """Read what `write_texts` wrote; none before a run has ended."""
    paths = {port.key: folder / TEXTS / f"{port.key}.txt" for port in others if isinstance(port, Text)}
    return {key: path.read_text(encoding="utf-8") for key, path in paths.items() if path.exists()}


def _put(path: Path, text: str) -> None:
    with replacing(path) as opened:
        opened.write(text.encode())
