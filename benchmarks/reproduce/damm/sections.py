"""Tables of one question each on DAMM-Diffusion's page: γ, λ and α, nuclei, divergence, uncertainty, seams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.reproduce.claims import Line, cell
from benchmarks.reproduce.damm.tasks import (
    ALWAYS_MULTI,
    ALWAYS_UNI,
    BASELINE,
    DAMMP,
    GAMMA,
    LAMBDA,
    NO_DFL,
    OTHER_GAMMAS,
    ROW,
    SWEEPS,
    UNIMODAL,
    Task,
    at_gamma,
)  # fmt: skip
from benchmarks.reproduce.damm.tumours import EXTERNAL, INTERNAL
from diffuscope.systems.damm.config import DAMMConfig

#: Complete cells, with what was found.
Found = Sequence[tuple[Task, Mapping[str, Any]]]

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


def gammas(rows: Mapping[str, Line]) -> str:
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


def sweeps(found: Found) -> str:
    """Return the table of λ and of α, one fold: the paper's figures 6 and 7, which have no numbers."""
    known = {
        task.row.name: [one["scores"]["psnr_db"] for one in result["cohorts"][INTERNAL][task.row.name].values()]
        for task, result in found
        if task.fold.number == 0 and task.row.name in {DAMMP, *(row.name for row in SWEEPS)}
    }
    if len(known) <= len(SWEEPS):
        return ""
    alpha = DAMMConfig.model_fields["alpha"].default
    text = [
        "## Other λ and α\n",
        f"PSNR of the first fold's animals; `{DAMMP}` has λ = {LAMBDA:g} and α = {alpha:g} (paper: 1e-4, 0.1).\n",
        "| | PSNR, dB |",
        "|---|---|",
    ]
    text += [f"| {name} | {cell(known[name], 2)} |" for name in ROW if name in known]
    return "\n".join(text) + "\n"


def nuclei(rows: Mapping[str, Line]) -> str:
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


def divergence(found: Found) -> str:
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


def calibration(found: Found) -> str:
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


def seams(found: Found) -> str:
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
