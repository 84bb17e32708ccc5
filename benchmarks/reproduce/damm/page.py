"""The page of DAMM-Diffusion's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.reproduce.claims import Line, budget_text, claims, table
from benchmarks.reproduce.damm import real, sections
from benchmarks.reproduce.damm.heads import HeadTask
from benchmarks.reproduce.damm.sections import Found
from benchmarks.reproduce.damm.tasks import (
    AGREED,
    BASELINE,
    CLAIMS,
    DAMMP,
    DRAWS,
    LAMBDA,
    ROUNDS,
    ROW,
    ROWS,
    UNIMODAL,
    WARM,
    Budget,
    Task,
)  # fmt: skip
from benchmarks.reproduce.damm.tumours import DISCORDANT, EXTERNAL, INTERNAL, MPP
from benchmarks.reproduce.sheet import sheet

_HEADINGS = {
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "load_error_percent": ("load error, %", 1),
    "distance_error_um": ("penetration error, µm", 2),
    "psnr_concordant": ("PSNR concordant, dB", 2),
    "psnr_discordant": ("PSNR discordant, dB", 2),
}
_SIMULATED = """**All animals are simulated** (`docs/phantoms-tumour.md`): no figure says how a model does on a real
one. The section on real MR, where there is one, is of real scans.
"""
_READING = """## How to read it

{animals} animals with {fields} fields of {size} µm at {mpp:g} µm/px, held out in {folds} folds; {tested} fields of each
animal that is held out test, and as many of each of {external} animals of another tumour model. Of all fields
{discordant:.0%} have a nuclei channel that misleads. A row is {folds} cells: each fold is trained once, with a seed of
its own (its number), so that what varies between cells is animals, training set and seed together.

Every row trains {steps} steps of {batch} evaluations of {patch} px with the same optimiser (AdamW, 1e-3, cosine,
averaged weights) and networks of one set of widths ("{widths}"), in pixel space; the paper's are latent and train for
days. The DAMM rows evaluate each crop at {draws} draws of (t, ε), of which they so have fewer, and have group norms.
Equal steps are not equal time, which stands beside them (by the clock: also what the machine did meanwhile). The rate
was chosen for DAMM-Diffusion, not for the baselines. {warm:.0%} of the steps are warm-up for the DAMM rows; λ is
{weight:g} where there is a feedback, which trains U in the warm-up, too (see `docs/damm.md`, departures).

One sample at the default quality, tiles of {patch} px side by side. `{unimodal}` is the branch of `{baseline}` that
sees vessels alone. PSNR is over 0–255; the load is the sum over a field; penetration is the mean distance of the load
from the nearest vessel profile. Scores are means over the animals of a cell, then over cells, ± standard deviation
over cells. `{rounds}` and `{agreed}` train `{whole}` for half of their steps; in the other half both branches stand
still.
"""
_CLAIMS = """The interval is over fields, those of another tumour model averaged over cells: it tells how sure a
difference is on these fields. p is a paired permutation test over the same fields, corrected for all rows of this
table. The last column counts the (cell, animal) pairs in which the first row is ahead.
"""


def page(
    every: Sequence[tuple[Task | HeadTask, Mapping[str, Any]]],
    *,
    budget: Budget,
    kind: str,
    notices: Sequence[str],
    cells: int,
) -> str:
    """Return the page of the complete cells, markdown.

    Parameters
    ----------
    every : sequence of (Task or HeadTask, result)
        Complete cells.
    budget : Budget
        Of all of them.
    kind : {"standard", "quick", "full"}
    notices : sequence of str
        What was left out, and why.
    cells : int
        How many there are to be.
    """
    heads_ = [(task, result) for task, result in every if isinstance(task, HeadTask)]
    found = [(task, result) for task, result in every if isinstance(task, Task)]
    tables = {cohort: lines(found, cohort, budget) for cohort in (INTERNAL, EXTERNAL)}
    facts = asdict(budget) | asdict(budget.cohort) | {"mpp": MPP, "discordant": DISCORDANT, "unimodal": UNIMODAL}
    facts |= {
        "widths": budget.size,
        "warm": WARM,
        "weight": LAMBDA,
        "baseline": BASELINE,
        "agreed": AGREED,
        "rounds": ROUNDS,
        "draws": DRAWS,
        "whole": DAMMP,
    }
    what = {row.name: row.what for row in ROWS} | dict.fromkeys(
        (name for rows in tables.values() for name in rows if name not in {row.name for row in ROWS}), ""
    )
    parts = [_SIMULATED, _READING.format(**facts)]
    parts.append(f"## Claims\n\n{_CLAIMS}\n{claims(tables, CLAIMS, heading='cohort', units=('animal', 'field'))}\n")
    for cohort, rows in tables.items():
        if rows:
            parts.append(f"## {cohort.capitalize()} animals\n\n{table(rows, _HEADINGS, what)}\n")
    parts += [
        sections.nuclei(tables[INTERNAL]),
        sections.gammas(tables[INTERNAL]),
        sections.sweeps(found),
        sections.divergence(found),
        sections.calibration(found),
        sections.seams(found),
        real.section(heads_, budget),
    ]
    return sheet("DAMM-Diffusion", parts, kind=kind, done=len(every), cells=cells, notices=notices)


def lines(found: Found, cohort: str, budget: Budget) -> dict[str, Line]:
    """Gather the complete cells of one cohort; a row counts once all its folds are there."""
    gathered: dict[str, list[tuple[Task, Mapping[str, Any], Mapping[str, Any]]]] = {}
    for task, result in sorted(found, key=lambda one: one[0].fold.number):
        for method, animals in result["cohorts"][cohort].items():
            gathered.setdefault(method, []).append((task, result, animals))
    order = list(ROW)
    folds = budget.cohort.folds
    whole = {}
    for method in sorted(gathered, key=lambda name: order.index(name.split(", γ")[0]) if name != UNIMODAL else -1):
        cells_ = gathered[method]
        if len(cells_) == folds:
            spent = budget_text(cells_[0][0].training, [result for _, result, _ in cells_])
            whole[method] = Line(method, [dict(animals) for *_, animals in cells_], spent, folds)
    return whole
