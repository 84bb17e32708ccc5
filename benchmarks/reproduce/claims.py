"""What a paper claims, against what was found: rows of a table, and paired tests between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.shared.cells import Training
from diffuscope.evaluation.metrics.statistics import compare, holm


@dataclass(frozen=True)
class Claim:
    """A difference that the paper states: PSNR of one row less that of another.

    Attributes
    ----------
    table : str
        Which table both rows are in.
    first, second : str
        Names of rows.
    paper : str
        What it says, and where.
    """

    table: str
    first: str
    second: str
    paper: str


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
        """Mean over the slides that have the score, seed by seed."""
        every = [[slide["scores"][column] for slide in seed.values()] for seed in self.seeds]
        known = [[value for value in seed if value is not None] for seed in every]
        return [float(np.mean(seed)) if seed else np.nan for seed in known]

    def tiles(self, column: str) -> list[float]:
        """Mean over the seeds that have the slide, tile by tile, slide after slide."""
        slides = sorted({slide for seed in self.seeds for slide in seed})
        known = [[seed[slide]["tiles"][column] for seed in self.seeds if slide in seed] for slide in slides]
        return [float(value) for same in known for value in np.mean(same, axis=0)]


def budget_text(training: Training, results: Sequence[Mapping[str, Any]]) -> str:
    """Return the budget of a row's cells in words."""
    plan = training.optimisation
    minutes = np.mean([result["seconds"] for result in results]) / 60
    parameters = results[0]["parameters"] / 1e6
    return f"{plan.steps} × {plan.batch} × {training.config['patch']}² px, {minutes:.1f} min, {parameters:.1f} M"


def table(rows: Mapping[str, Line], headings: Mapping[str, tuple[str, int]], what: Mapping[str, str]) -> str:
    """Return the markdown table of some rows.

    Parameters
    ----------
    rows : mapping
        Lines by method.
    headings : mapping
        Heading and digits of each column.
    what : mapping
        What the methods that are trained are.
    """
    text = [
        f"| method | budget of a cell | folds | seeds | {' | '.join(heading for heading, _ in headings.values())} |",
        f"|{'---|' * (4 + len(headings))}",
    ]
    for name, line in rows.items():
        cells = " | ".join(cell(line.values(column), digits) for column, (_, digits) in headings.items())
        told = f"{name}: {what[name]}" if what.get(name) else name
        seeds = len(line.seeds) if name in what else "–"
        text.append(f"| {told} | {line.budget} | {line.folds} | {seeds} | {cells} |")
    return "\n".join(text)


def known_mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def cell(values: Sequence[float], digits: int) -> str:
    """Return the mean of seeds, ± their standard deviation where there are several."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def claims(
    tables: Mapping[str, Mapping[str, Line]], stated: Sequence[Claim], *, heading: str, units: tuple[str, str]
) -> str:
    """Return the markdown table of the claims of which both rows are complete.

    Parameters
    ----------
    tables : mapping
        Lines by table and method.
    stated : sequence of Claim
    heading : str
        What tells the tables apart.
    units : tuple of str
        What is averaged over and what is tested over: ``("slide", "tile")``.
    """
    known = [
        claim
        for claim in stated
        if claim.first in tables.get(claim.table, {}) and claim.second in tables.get(claim.table, {})
    ]
    if not known:
        return "No two rows that a claim compares are complete."
    compared = []
    for claim in known:
        first, second = (tables[claim.table][name] for name in (claim.first, claim.second))
        compared.append(compare(first.tiles("psnr_db"), second.tiles("psnr_db")))
    adjusted = holm([one.permutation_p for one in compared])
    told = f"found, mean over {units[0]}s | over {units[1]}s (95 %)"
    text = [
        f"| {heading} | PSNR of | less that of | paper | {told} | p (Holm) | signs |",
        f"|{'---|' * 8}",
    ]
    for claim, one, p in zip(known, compared, adjusted, strict=True):
        first, second = (tables[claim.table][name] for name in (claim.first, claim.second))
        gap = np.mean(first.values("psnr_db")) - np.mean(second.values("psnr_db"))
        text.append(
            f"| {claim.table} | {claim.first} | {claim.second} | {claim.paper} | {gap:+.2f} dB "
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
