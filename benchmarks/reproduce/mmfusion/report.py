"""Complete rows of a study as markdown: figures with intervals, and paired tests between two rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.claims import cell
from benchmarks.reproduce.mmfusion.rows import Row
from benchmarks.reproduce.mmfusion.scoring import figures
from benchmarks.reproduce.mmfusion.study import FOLDS, Study
from diffuscope.evaluation.metrics.statistics import compare, holm, paired_t
from diffuscope.evaluation.score_intervals import delong, figure_intervals

Floats = NDArray[np.float64]
_COLUMNS = {
    "accuracy": 3, "macro precision": 3, "macro recall": 3, "macro F1": 3, "AUROC": 3, "AUPRC": 3, "Brier": 4,
    "ECE": 3, "Brier, calibrated": 4, "ECE, calibrated": 3,
}  # fmt: skip
_RESAMPLES = 300
_SHOWN = 0.05
# Of the patients of a fold, those that test over those that do not: how much trainings share (C. Nadeau and Y. Bengio).
_OVERLAP = 1 / (FOLDS - 1)


@dataclass(frozen=True, eq=False)
class Line:
    """A row with what its seeds found.

    Attributes
    ----------
    row : Row
    study : Study
    seeds : dict of int to mapping
        What `measure` found, by seed.
    """

    row: Row
    study: Study
    seeds: Mapping[int, Mapping[str, Any]]

    @property
    def label(self) -> NDArray[np.int64]:
        """Classes of those who test."""
        return self.study.label[self.study.tested]

    def array(self, name: str) -> Floats:
        """Return (seeds, n) of what was found of every patient."""
        return np.array([found[name] for found in self.seeds.values()], np.float64)

    @property
    def scores(self) -> Floats:
        """Return (n,): mean over seeds of the score of each patient."""
        return self.array("probability").mean(axis=0)

    @cached_property
    def figures(self) -> list[dict[str, float]]:
        """Return those of each seed."""
        rows = zip(self.array("probability"), self.array("cut"), self.array("calibrated"), strict=True)
        return [figures(self.label, *row) for row in rows]

    def accuracies(self) -> list[float]:
        """Return the accuracy of each fold of each seed."""
        right = (self.array("probability") >= self.array("cut")) == self.label.astype(bool)
        return [
            float(own[np.isin(self.study.tested, fold.test)].mean())
            for seed, own in zip(self.seeds, right, strict=True)
            for fold in self.study.folds(seed=seed)
        ]

    def squared(self) -> Floats:
        """Return (n,): mean over seeds of the squared distance of the score from the label."""
        return np.asarray(((self.array("probability") - self.label) ** 2).mean(axis=0))


def table(lines: Sequence[Line]) -> str:
    """Return all figures of rows, mean ± standard deviation over seeds, and the interval of three of them."""
    text = [
        f"| row | seconds a seed | parameters | {' | '.join(_COLUMNS)} | AUROC, 95 % | accuracy, 95 % | Brier, 95 % |",
        f"|{'---|' * (len(_COLUMNS) + 6)}",
    ]
    for line in lines:
        cells = [cell([own[name] for own in line.figures], digits) for name, digits in _COLUMNS.items()]
        seconds = np.mean([found["seconds"] for found in line.seeds.values()])
        size = next(iter(line.seeds.values()))["parameters"]
        told = _intervals(line)
        ends = " | ".join(f"{told[name][0]:.3f}–{told[name][1]:.3f}" for name in ("AUROC", "accuracy", "Brier"))
        text.append(f"| {line.row.told} | {seconds:.0f} | {size or '–'} | {' | '.join(cells)} | {ends} |")
    return "\n".join(text)


def grouped(lines: Sequence[Line]) -> str:
    """Return AUROC and Brier score of each group of patients, of the mean score over seeds, with intervals."""
    groups = lines[0].study.groups
    text = ["| patients | n, positive | row | AUROC (95 %) | Brier (95 %) |", "|---|---|---|---|---|"]
    for name, who in groups.items():
        mine = who[lines[0].study.tested]
        if not mine.any():
            continue
        label = lines[0].label[mine]
        for line in lines:
            found = figure_intervals(label, line.scores[mine], resamples=_RESAMPLES)
            cells = ["{:.3f} ({:.3f} to {:.3f})".format(*found[one]) for one in ("AUROC", "Brier")]
            text.append(
                f"| {name} | {len(label)}, {100 * label.mean():.0f} % | {line.row.told} | {' | '.join(cells)} |"
            )
    return "\n".join(text)


def tests(lines: Mapping[str, Line], pairs: Sequence[tuple[str, str]]) -> str:
    """Return the differences between rows with their tests, p corrected for all of the table (Holm)."""
    both = [(lines[one], lines[other]) for one, other in pairs if one in lines and other in lines]
    known = [(one, other) for one, other in both if one.seeds.keys() == other.seeds.keys()]
    if not known:
        return "No two rows that are compared are complete."
    found = []
    for one, other in known:
        order = delong(one.label, one.scores, other.scores)
        decided = paired_t(one.accuracies(), other.accuracies(), overlap=_OVERLAP)
        squared = compare(one.squared(), other.squared())
        found.append((one, other, order, decided, squared))
    adjusted = [
        holm(p)
        for p in zip(
            *((order.p, decided.p, squared.permutation_p) for *_, order, decided, squared in found), strict=True
        )
    ]
    shown: list[str] = []
    text = [
        "| row | less | accuracy (95 %) | p | AUROC (95 %) | p | Brier (95 %) | p |",
        f"|{'---|' * 8}",
    ]
    for number, (one, other, order, decided, squared) in enumerate(found):
        points = [100 * value for value in decided.interval]
        cells = [
            "{:+.1f} points ({:+.1f} to {:+.1f})".format(*points),
            f"{adjusted[1][number]:.2g}",
            "{:+.3f} ({:+.3f} to {:+.3f})".format(*order.interval),
            f"{adjusted[0][number]:.2g}",
            "{:+.4f} ({:+.4f} to {:+.4f})".format(*squared.difference),
            f"{adjusted[2][number]:.2g}",
        ]
        text.append(f"| {one.row.told} | {other.row.told} | {' | '.join(cells)} |")
        gains = {"accuracy": points[0], "AUROC": order.interval.value, "Brier score": -squared.difference.value}
        better = {
            name: "better" if gain > 0 else "worse"
            for (name, gain), p in zip(gains.items(), (adjusted[1], adjusted[0], adjusted[2]), strict=True)
            if p[number] < _SHOWN
        }
        if better:
            said = ", ".join(f"{name} {which}" for name, which in better.items())
            shown.append(f"- {one.row.told}, against {other.row.told}: {said}.")
    head = f"What is shown (p < {_SHOWN} after Holm's correction), and no more:" if shown else "No difference is shown."
    return "\n".join([*text, "", head, "", *shown])


_KNOWN: dict[tuple[Any, ...], dict[str, tuple[float, float]]] = {}


def _intervals(line: Line) -> dict[str, tuple[float, float]]:
    """Return where resampled patients put figures: a patient comes with the scores of all seeds, or with none."""
    count = len(line.seeds)
    label, patients = np.tile(line.label, count), np.tile(line.study.tested, count)
    found, cuts = line.array("probability").ravel(), line.array("cut").ravel()
    # The page is written after every cell: what was told before is told again.
    key = (line.study.name, line.row.name, *found[:50], *cuts[:50], len(found))
    if key not in _KNOWN:
        asked = {"patients": patients, "resamples": _RESAMPLES}
        order = figure_intervals(label, found, **asked)
        decided = figure_intervals(label, found - cuts, threshold=0.0, **asked)
        both = {"AUROC": order["AUROC"], "Brier": order["Brier"], "accuracy": decided["accuracy"]}
        _KNOWN[key] = {name: (one.low, one.high) for name, one in both.items()}
    return _KNOWN[key]
