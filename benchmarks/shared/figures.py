"""What a benchmark found, in one form: figures by key, and the goals that some of them should keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


#: By a figure's key. Where what is good depends on the model that is measured: by the key, then by its name.
Goals = Mapping[str, Goal | Mapping[str, Goal]]


def table(figures: Mapping[str, float], goals: Goals, *, model: str | None = None) -> str:
    """Return a line a figure: its key, its value, and whether its goal is met.

    Parameters
    ----------
    figures : mapping of str to float
        By key.
    goals : mapping
        By key; a figure without one is only shown.
    model : str, optional
        Whose goals count where they differ between models.
    """
    width = max(map(len, figures), default=0)
    lines = []
    for key, value in figures.items():
        goal = goals.get(key)
        if isinstance(goal, Mapping):
            goal = goal.get(model or "")
        verdict = f"  {goal}: {'met' if goal.met(value) else 'MISSED'}" if goal else ""
        lines.append(f"{key:{width}}  {value:10.4g}{verdict}")
    return "\n".join(lines)


def write(figures: Mapping[str, float], file: Path) -> None:
    """Write ``{"figures": {key: number}}``."""
    file.write_text(json.dumps({"figures": dict(figures)}, indent=1) + "\n", encoding="utf-8")
