"""The page of DAMM-Diffusion's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.reproduce.claims import Line, budget_text, cell, claims, table
from benchmarks.reproduce.damm.heads import COLUMNS as HEAD_COLUMNS
from benchmarks.reproduce.damm.heads import PATIENTS, SIDE, SLICES, HeadTask
from benchmarks.reproduce.damm.tasks import (
    AGREED,
    ALWAYS_MULTI,
    ALWAYS_UNI,
    BASELINE,
    CLAIMS,
    DAMMP,
    DRAWS,
    GAMMA,
    LAMBDA,
    NO_DFL,
    OTHER_GAMMAS,
    ROUNDS,
    ROW,
    ROWS,
    SWEEPS,
    UNIMODAL,
    WARM,
    Budget,
    Task,
    at_gamma,
)  # fmt: skip
from benchmarks.reproduce.damm.tumours import DISCORDANT, EXTERNAL, INTERNAL, MPP
from benchmarks.reproduce.sheet import sheet
from diffuscope.systems.damm.config import DammConfig

Found = Sequence[tuple[Task, Mapping[str, Any]]]

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
# What is compared, and rows that differ in whether they see nuclei.
_WORTH = (
    ("conditional DDPM", "ldm", "ldm-vessels"),
    ("the branches of the baseline", BASELINE, UNIMODAL),
    ("the branches of DAMM-Diffusion", ALWAYS_MULTI, ALWAYS_UNI),
)
_NUCLEI = """## How much is there to be won by nuclei?

The paper is 4 dB ahead of a diffusion model that sees vessels alone. Here most of that is not there to be won. The two
conditional DDPMs differ in nothing but whether they see nuclei; a multi-modal branch differs from the uni-modal one in
its network, too (it has both encoders), and what it wins on discordant fields, where nuclei mislead, is the network's.
Gradient boosting on local features, which trains until it has learned what these tell, wins 2 dB by nuclei on
concordant fields and less than nothing on the others (`docs/phantoms-tumour.md`). What else decides where particles
are, which vessels leak and which carry no blood, no channel of the simulation shows; one sample draws it anew.

| PSNR with nuclei less that without, dB | all fields | concordant | discordant |
|---|---|---|---|
"""
_HEADS = """## Real MR

T1, T2 and FLAIR of a brain, one from the other two, leave one of two patients out (MS data of Lesjak et al. 2017,
CC BY): crops of {side} px of {slices} axial slices of the patient that was held out, put together from tiles of {patch}
px; the same steps, batch and networks as above, one seed. PSNR is over the range of a run (percentiles of the scan).
`constant` is the mean of the patient that trained: what a picture of nothing scores. Two patients are few. The
uni-modal branch of `damm` sees the first of the two inputs, that of the column beside it the second (the paper's table
9: 24.13 and 24.23 dB, 25.07 and 25.25, 25.61 and 25.29 in the order of the rows).
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
        _nuclei(tables[INTERNAL]),
        _gammas(tables[INTERNAL]),
        _sweeps(found),
        _divergence(found),
        _calibration(found),
        _seams(found),
        _real(heads_, budget),
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


def _gammas(rows: Mapping[str, Line]) -> str:
    """Return the table of γ with and without feedback, and the spread over γ."""
    gammas = sorted((*OTHER_GAMMAS, GAMMA))
    text = [
        "## γ, with and without divergence feedback\n",
        "PSNR of one training each, asked with another γ (the paper's table 7, whose γ are also those of training).\n",
        f"| | {' | '.join(f'γ = {gamma:g}' for gamma in gammas)} | spread | paper |",
        f"|{'---|' * (len(gammas) + 3)}",
    ]
    for name, paper in ((DAMMP, "47.16, 47.93, 47.31: 0.77"), (NO_DFL, "44.36, 47.36, 45.36: 3.00")):
        asked = [rows.get(name if gamma == GAMMA else at_gamma(name, gamma)) for gamma in gammas]
        if None in asked:
            return ""
        values = [one.values("psnr_db") for one in asked if one is not None]
        spread = [max(one) - min(one) for one in zip(*values, strict=True)]
        text.append(f"| {name} | {' | '.join(cell(one, 2) for one in values)} | {cell(spread, 2)} | {paper} |")
    return "\n".join(text) + "\n"


def _sweeps(found: Found) -> str:
    """Return the table of λ and of α, one fold: the paper's figures 6 and 7, which have no numbers."""
    known = {
        task.row.name: [one["scores"]["psnr_db"] for one in result["cohorts"][INTERNAL][task.row.name].values()]
        for task, result in found
        if task.fold.number == 0 and task.row.name in {DAMMP, *(row.name for row in SWEEPS)}
    }
    if len(known) <= len(SWEEPS):
        return ""
    alpha = DammConfig.model_fields["alpha"].default
    text = [
        "## Other λ and α\n",
        f"PSNR of the first fold's animals; `{DAMMP}` has λ = {LAMBDA:g} and α = {alpha:g} (paper: 1e-4, 0.1).\n",
        "| | PSNR, dB |",
        "|---|---|",
    ]
    text += [f"| {name} | {cell(known[name], 2)} |" for name in ROW if name in known]
    return "\n".join(text) + "\n"


def _nuclei(rows: Mapping[str, Line]) -> str:
    """Return what nuclei are worth to models that differ in nothing else."""
    text = []
    for told, first, second in _WORTH:
        if first in rows and second in rows:
            values = {
                key: np.subtract(rows[first].values(key), rows[second].values(key))
                for key in ("psnr_db", "psnr_concordant", "psnr_discordant")
            }
            text.append(f"| {told} | {' | '.join(cell(list(one), 2) for one in values.values())} |")
    return _NUCLEI + "\n".join(text) + "\n" if text else ""


def _divergence(found: Found) -> str:
    """Return how well d tells discordant fields, by row and cohort; all cells that there are."""
    text = [
        "## Does d tell discordant fields?\n",
        "AUROC of a field's d (mean over tiles and steps), averaged over cells ± standard deviation, beside mean d and",
        f"the part of decisions that were multi-modal at γ = {GAMMA:g}. Goal: 0.9.\n",
        "| method | cohort | cells | AUROC | d concordant | d discordant | multi-modal concordant | discordant |",
        f"|{'---|' * 8}",
    ]
    told = [
        (task.row.name, cohort, *separation(result, cohort))
        for task, result in found
        for cohort in (INTERNAL, EXTERNAL)
        if result["divergence"].get(cohort)
    ]
    order = list(ROW)
    told.sort(key=lambda one: (order.index(one[0]), one[1] != INTERNAL))
    for (name, cohort), group in groupby(told, key=lambda one: one[:2]):
        columns = list(zip(*(one[2:] for one in group), strict=True))
        cells = " | ".join(cell(values, 2) for values in columns)
        text.append(f"| {name} | {cohort} | {len(columns[0])} | {cells} |")
    return "\n".join(text) + "\n" if told else ""


def separation(result: Mapping[str, Any], cohort: str) -> tuple[float, ...]:
    """Return AUROC, and of concordant and discordant fields mean d and multi-modal part."""
    animals = result["divergence"][cohort]
    misleads = np.array([kind != "concordant" for name in animals for kind in result["kinds"][name]])
    d, multi = (np.concatenate([result[key][cohort][name] for name in animals]) for key in ("divergence", "multimodal"))
    if misleads.all() or not misleads.any():
        return (np.nan,) * 5
    return (
        float(roc_auc_score(misleads, d)),
        *(float(values[which].mean()) for values in (d, multi) for which in (~misleads, misleads)),
    )


def _calibration(found: Found) -> str:
    """Return the areas under the sparsification error."""
    known = [result["calibration"] for _, result in found if "calibration" in result]
    if not known:
        return ""
    text = [
        "## Does uncertainty tell errors?\n",
        "Area under the sparsification error against the absolute error (0 is the best order), one animal a fold.",
        "Plain variance is that of the prediction itself in windows of 5 px.\n",
        "| | AUSE | cells in which it beats random | and plain variance |",
        "|---|---|---|---|",
    ]
    for name in known[0]:
        values = [one[name] for one in known]
        beats = [sum(one[name] < one[other] for one in known) for other in ("random", "plain variance")]
        text.append(f"| {name} | {cell(values, 3)} | {beats[0]} of {len(known)} | {beats[1]} of {len(known)} |")
    return "\n".join(text) + "\n"


def _real(found: Sequence[tuple[HeadTask, Mapping[str, Any]]], budget: Budget) -> str:
    """Return the table of real MR, a line a task."""
    if not found:
        return "## Real MR\n\nNo cell is complete.\n"
    by_task: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = {}
    for task, result in found:
        row = by_task.setdefault(task.name, {})
        row.setdefault(task.column, {})[task.held] = result["scores"]
        row.setdefault("constant", {})[task.held] = result["constant"]
    columns = (*HEAD_COLUMNS.values(), "constant")
    heads = [f"{name}, {held}" for name in columns for held in PATIENTS]
    text = [f"| PSNR, dB / SSIM | {' | '.join(heads)} |", f"|{'---|' * (1 + len(heads))}"]
    for name, row in by_task.items():
        cells = [_both(row.get(column, {}).get(held)) for column in columns for held in PATIENTS]
        text.append(f"| {name} | {' | '.join(cells)} |")
    told = _HEADS.format(side=SIDE, slices=SLICES, patch=budget.patch)
    return told + "\n" + "\n".join(text) + "\n"


def _both(scores: Mapping[str, Sequence[float]] | None) -> str:
    return f"{np.mean(scores['psnr_db']):.2f} / {np.mean(scores['ssim']):.3f}" if scores else "–"


def _seams(found: Found) -> str:
    """Return how large steps across tiles' borders are."""
    known = [result["seams"] for _, result in found if "seams" in result]
    if not known:
        return ""
    text = [
        "## Do branches show at tiles' borders?\n",
        "Mean step across borders over that beside them in one large field (1: nothing to see), run by the engine with",
        "forced branches, and as d decides.\n",
        "| branches | ratio |",
        "|---|---|",
    ]
    text += [f"| {way.removeprefix('border_ratio_')} | {cell([one[way] for one in known], 3)} |" for way in known[0]]
    return "\n".join(text) + "\n"
