"""Complete rows of MedM2G's tables as markdown: figures over seeds, and paired differences between two rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.claims import cell
from benchmarks.reproduce.medm2g.directions import Direction
from benchmarks.reproduce.medm2g.rows import Row
from diffuscope.evaluation.metrics.statistics import Interval, bootstrap_interval, compare, holm

SHOWN = 0.05
# Lines of a table before its first row.
_HEAD = 2


@dataclass(frozen=True, eq=False)
class Line:
    """A row with what its seeds found.

    Attributes
    ----------
    row : Row
    seeds : dict of int to mapping
        What `measure` found, by seed.
    """

    row: Row
    seeds: Mapping[int, Mapping[str, Any]]

    def has(self, one: Direction) -> bool:
        """Whether it makes it."""
        return all(one.name in found["directions"] for found in self.seeds.values())

    def figures(self, one: Direction, name: str) -> list[float]:
        """Return a figure of a direction, seed by seed: of all together, or the mean over patients."""
        found = [seed["directions"][one.name][one.made[0]] for seed in self.seeds.values()]
        every = [each["set"][name] if name in each["set"] else each["cases"].get(name) for each in found]
        return [float(np.mean(each)) for each in every if each is not None]

    def cases(self, one: Direction, name: str) -> dict[int, NDArray[np.float64]]:
        """Return a figure of every patient, by seed."""
        return {
            seed: np.array(found["directions"][one.name][one.made[0]]["cases"][name], np.float64)
            for seed, found in self.seeds.items()
        }


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    heading : str
    of : callable
        From a line to a value a seed; none where there is nothing.
    digits : int
    """

    heading: str
    of: Callable[[Line], Sequence[float]]
    digits: int = 3


def figure(one: Direction, name: str, digits: int = 3, heading: str | None = None) -> Column:
    """Return the column of a figure of a direction."""
    return Column(heading or name, lambda line: line.figures(one, name) if line.has(one) else [], digits)


def table(lines: Sequence[Line], columns: Sequence[Column]) -> str:
    """Return rows with what they have of some columns: mean ± standard deviation over seeds; rows without any go."""
    text = [
        f"| row | seeds | {' | '.join(column.heading for column in columns)} |",
        f"|{'---|' * (len(columns) + 2)}",
    ]
    for line in lines:
        found = [column.of(line) for column in columns]
        if any(len(values) for values in found):
            cells = [
                cell(values, column.digits) if len(values) else "–"
                for values, column in zip(found, columns, strict=True)
            ]
            text.append(f"| {line.row.told} | {len(line.seeds)} | {' | '.join(cells)} |")
    return "\n".join(text) if len(text) > _HEAD else "No row of this table is complete."


@dataclass(frozen=True)
class Claimed:
    """A difference that is stated.

    Attributes
    ----------
    first, second : str
        Names of rows.
    one : Direction
    figure : str
        Of every patient; more is better.
    """

    first: str
    second: str
    one: Direction
    figure: str


def differences(lines: Mapping[str, Line], claimed: Sequence[Claimed]) -> str:
    """Return differences between rows with 95 % intervals over patients and p, after Holm's correction."""
    known = []
    for one in claimed:
        both = [lines.get(name) for name in (one.first, one.second)]
        if all(line is not None and line.has(one.one) for line in both):
            pair = [line.cases(one.one, one.figure) for line in both if line is not None]
            seeds = sorted(pair[0].keys() & pair[1].keys())
            if seeds:
                means = [np.mean([own[seed] for seed in seeds], axis=0) for own in pair]
                ahead = sum(pair[0][seed].mean() > pair[1][seed].mean() for seed in seeds)
                known.append((one, compare(*means), f"{ahead} of {len(seeds)}"))
    if not known:
        return "No two rows that are compared are complete."
    adjusted = holm([found.permutation_p for _, found, _ in known])
    text = [
        "| row | less | of | figure | difference (95 %) | p | seeds ahead |",
        f"|{'---|' * 7}",
    ]
    shown = []
    for (one, found, ahead), p in zip(known, adjusted, strict=True):
        names = [lines[name].row.told for name in (one.first, one.second)]
        told = interval(found.difference)
        text.append(f"| {' | '.join(names)} | {one.one.told} | {one.figure} | {told} | {p:.2g} | {ahead} |")
        if p < SHOWN:
            better = "better" if found.difference.value > 0 else "worse"
            shown.append(f"- {names[0]}, against {names[1]}: {one.figure} of {one.one.told} {better}.")
    head = f"What is shown (p < {SHOWN} after Holm's correction), and no more:" if shown else "No difference is shown."
    return "\n".join([*text, "", head, "", *shown])


def interval(found: Interval, digits: int = 3) -> str:
    """Return a signed value with its interval."""
    return f"{found.value:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"


def over_cases(values: Sequence[NDArray[np.float64]]) -> Interval:
    """Return the mean over seeds and patients, with its interval over patients."""
    means = np.mean(values, axis=0)
    return bootstrap_interval(means[np.isfinite(means)])
