"""The one form in which every benchmark tells its figures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path


@dataclass(frozen=True)
class Goal:
    """A bound that a figure should keep.

    Attributes
    ----------
    low, high : float or None
        Smallest and largest good value.
    """

    low: float | None = None
    high: float | None = None

    def met(self, value: float) -> bool:
        """Whether a figure keeps the bounds; NaN never does."""
        return (
            not isnan(value) and (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        )

    def __str__(self) -> str:
        """Return the bounds as text."""
        bounds = [
            f"≥ {self.low:g}" if self.low is not None else "",
            f"≤ {self.high:g}" if self.high is not None else "",
        ]
        return " and ".join(bound for bound in bounds if bound)


def main(
    measure: Callable[..., Mapping[str, float]],
    goals: Mapping[str, Goal],
    *,
    models: Sequence[str] = (),
    of_model: Mapping[str, Mapping[str, Goal]] | None = None,
) -> None:
    """Measure, write the figures where ``--json`` says, and print them with their goals last.

    Parameters
    ----------
    measure : callable
        Returns the figures by key.
    goals : mapping of str to Goal
        By key; a figure without one is only told.
    models : sequence of str, optional
        Where given, ``--model`` chooses one (the first by default), and `measure` gets its name.
    of_model : mapping, optional
        Goals of one model, by its name, besides those of all.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="FILE", help='write {"figures": {key: number}}')
    if models:
        parser.add_argument("--model", choices=models, default=models[0])
    arguments = parser.parse_args()
    if not models:
        report(measure(), goals, arguments.json)
        return
    own = (of_model or {}).get(arguments.model, {})
    report(measure(arguments.model), {**goals, **own}, arguments.json)


def report(figures: Mapping[str, float], goals: Mapping[str, Goal], target: Path | None) -> None:
    """Write figures where `target` says, and print them with their goals.

    Parameters
    ----------
    figures : mapping of str to float
        By key.
    goals : mapping of str to Goal
        By key; a figure without one is only told.
    target : Path or None
        File to write.
    """
    figures = dict(figures)
    if target is not None:
        target.write_text(json.dumps({"figures": figures}, indent=1) + "\n", encoding="utf-8")
    for key, value in figures.items():
        goal = goals.get(key)
        verdict = f"   goal {goal}: {'met' if goal.met(value) else 'MISSED'}" if goal else ""
        print(f"{key} = {value:.4g}{verdict}")
