"""The table as a page: what was trained, for how long, what it scored, and what the paper says beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._scores import COLUMNS
from benchmarks.reproduce.staindiffuser import CLAIMS, ROWS, Claim, Task
from diffuscope.evaluation.statistics import compare, holm

Slides = Mapping[str, Mapping[str, Any]]
_HEADINGS = {
    "psnr_db": "PSNR, dB",
    "ssim": "SSIM",
    "psnr_db_near": "PSNR near, dB",
    "dab_od_error": "DAB error, OD",
    "area_error_percent": "area error, %",
    "dice": "Dice",
}
_DIGITS = {"psnr_db": 2, "ssim": 3, "psnr_db_near": 2, "dab_od_error": 3, "area_error_percent": 0, "dice": 3}


@dataclass(frozen=True)
class Line:
    """One method in one table.

    Attributes
    ----------
    name : str
    seeds : list of dict
        Of each seed, {slide: {"scores", "tiles"}}; one entry for what needs no training.
    budget : str
        In words.
    folds : int
        Training sets of each seed.
    """

    name: str
    seeds: list[dict[str, Any]]
    budget: str
    folds: int

    def values(self, column: str) -> list[float]:
        """Mean over slides, seed by seed."""
        return [float(np.mean([slide["scores"][column] for slide in seed.values()])) for seed in self.seeds]

    def tiles(self, column: str) -> list[float]:
        """Mean over seeds, tile by tile, slide after slide."""
        rows = [[value for slide in sorted(seed) for value in seed[slide]["tiles"][column]] for seed in self.seeds]
        return list(np.mean(rows, axis=0))


def lines(found: Sequence[tuple[Task, Mapping[str, Any]]], stain: str) -> dict[str, Line]:
    """Gather the complete cells of one stain; a seed counts once all its folds are there.

    Parameters
    ----------
    found : sequence of (Task, result)
        Complete cells.
    stain : str
        ``"CD3"``, ``"CK8/18"``, or ``"IHC"`` of the strips.
    """
    mine = [(task, result) for task, result in found if stain in task.study.stains]
    tested = {
        slide for _, result in mine for slides in result["stains"][stain].values() for slide in slides
    }  # all folds' slides
    gathered: dict[str, dict[int, dict[str, Any]]] = {}
    spent: dict[str, list[tuple[Task, Mapping[str, Any]]]] = {}
    for task, result in mine:
        for method, slides in result["stains"][stain].items():
            gathered.setdefault(method, {}).setdefault(task.seed, {}).update(slides)
            spent.setdefault(method, []).append((task, result))
    order = [*(name for name in gathered if name not in {row.name for row in ROWS}), *(row.name for row in ROWS)]
    whole = {}
    for name in order:
        seeds = [slides for _, slides in sorted(gathered.get(name, {}).items()) if slides.keys() == tested]
        if seeds:
            folds = len({task.study.name for task, _ in spent[name]})
            whole[name] = Line(name, seeds, _budget(spent[name]), folds)
    return whole


def _budget(cells: Sequence[tuple[Task, Mapping[str, Any]]]) -> str:
    task, _ = cells[0]
    if task.row is None:
        return "none"
    plan = task.training.optimisation
    minutes = np.mean([result["seconds"] for _, result in cells]) / 60
    parameters = cells[0][1]["parameters"] / 1e6
    return f"{plan.steps} × {plan.batch} × {task.budget.patch}² px, {minutes:.1f} min, {parameters:.1f} M"


def table(rows: Mapping[str, Line]) -> str:
    """Return the markdown table of one stain."""
    what = {row.name: row.what for row in ROWS}
    text = [
        f"| method | budget of a cell | folds | seeds | {' | '.join(_HEADINGS[column] for column in COLUMNS)} |",
        f"|{'---|' * (4 + len(COLUMNS))}",
    ]
    for name, line in rows.items():
        cells = " | ".join(_cell(line.values(column), _DIGITS[column]) for column in COLUMNS)
        told = f"{name}: {what[name]}" if name in what else name
        seeds = len(line.seeds) if name in what else "–"
        text.append(f"| {told} | {line.budget} | {line.folds} | {seeds} | {cells} |")
    return "\n".join(text)


def _cell(values: Sequence[float], digits: int) -> str:
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def claims(tables: Mapping[str, Mapping[str, Line]], stated: Sequence[Claim] = CLAIMS) -> str:
    """Return the markdown table of the claims of which both rows are complete."""
    known = [
        claim
        for claim in stated
        if claim.first in tables.get(claim.stain, {}) and claim.second in tables.get(claim.stain, {})
    ]
    if not known:
        return "No two rows that a claim compares are complete."
    compared = []
    for claim in known:
        first, second = (tables[claim.stain][name] for name in (claim.first, claim.second))
        compared.append(compare(first.tiles("psnr_db"), second.tiles("psnr_db")))
    adjusted = holm([one.permutation_p for one in compared])
    text = [
        "| stain | PSNR of | less that of | paper | found, mean over slides | over tiles (95 %) | p (Holm) | signs |",
        f"|{'---|' * 8}",
    ]
    for claim, one, p in zip(known, compared, adjusted, strict=True):
        first, second = (tables[claim.stain][name] for name in (claim.first, claim.second))
        gap = np.mean(first.values("psnr_db")) - np.mean(second.values("psnr_db"))
        text.append(
            f"| {claim.stain} | {claim.first} | {claim.second} | {claim.paper} | {gap:+.2f} dB "
            f"| {one.difference.value:+.2f} ({one.difference.low:+.2f} to {one.difference.high:+.2f}) "
            f"| {p:.2g} | {_signs(first, second)} |"
        )
    return "\n".join(text)


def _signs(first: Line, second: Line) -> str:
    """Return on how many pairs of (seed, slide) the first is better; seeds that both have."""
    pairs = [
        a[slide]["scores"]["psnr_db"] > b[slide]["scores"]["psnr_db"]
        for a, b in zip(first.seeds, second.seeds, strict=False)
        for slide in a
    ]
    return f"{sum(pairs)} of {len(pairs)}"
