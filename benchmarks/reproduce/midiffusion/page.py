"""The page of MIDiffusion's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.reproduce.claims import Line, budget_text, cell, claims, table
from benchmarks.reproduce.midiffusion.data import FEW
from benchmarks.reproduce.midiffusion.tasks import (
    CLAIMS,
    INVERTED,
    ITSELF,
    LMI,
    METHODS,
    REGISTERED,
    REMAPPED,
    THIRD,
    Budget,
    Task,
    is_gated,
    registered,
)  # fmt: skip
from benchmarks.reproduce.sheet import sheet
from benchmarks.shared.scans import DIRECTIONS, Direction
from benchmarks.shared.translated import AIR, BONE
from diffuscope.evaluation.metrics.features import RandomConvFeatures

Found = Sequence[tuple[Task, Mapping[str, Any]]]

_HEADINGS = {
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "ssim_source": ("SSIM to source", 3),
    "mse": ("MSE", 4),
    "mi_nats": ("MI, nats", 3),
    "gradient_correlation": ("gradient correlation", 3),
    "dice_bone": ("Dice bone", 3),
    "dice_air": ("Dice air", 3),
    "kid": ("KID", 4),
}
_READING = """## How to read it

Real scans: T1 and FLAIR of two patients (`ms-brain`: one trains, one tests), CT and T1-weighted MR of 22 patients
(`sarcoma-ct-mr`, of whom the shipped recipes hold five out, and two more do not train). MIDiffusion trains from a
folder that holds the target's files and no others, by the shipped recipe's configuration, but for its length and its
crops: every row trains {steps} steps of {batch} crops of {patch} px ("wider crops": as many px) with the same
optimiser (AdamW, 4e-4, cosine, averaged weights) and networks of one set of widths ("{size}"). Equal steps are not
equal time, which stands beside them (by the clock: also what the machine did meanwhile). The rate was chosen for
MIDiffusion, not for the U-Net. The paper trains on hundreds of slices of more patients, for longer; so do, by two to
five times, the models that ship (`docs/midiffusion.md`).

Scored are crops of {side} px in the middle of slices spread evenly over the patients that test, {slices} or a few
less in all, at the same places for every row, and of each what lies in the scan. PSNR, SSIM and MSE are over the
range of the target as 0 … 1 (CT: −200 … 300 HU, MR: two percentiles of its foreground), background and air included.
MI is from 32 bins of each image's range. Bone is above {bone:g} HU, air below {air:g} HU; slices without any do not
count. KID compares quarters of all crops with the truth's, by {features}.

One sample at the default quality, or, where it says so, the mean of {samples}: sample is to be compared with sample
and mean with mean. A mean is smoother and so nearer in PSNR, whatever the method. But for "neighbours", slices are
translated alone, as the paper does it. `shuffled source` is another patient's slice, of `ms-brain` the one's who
trained (whose source was not trained on). SDEdit is the same network without LMI; its t0 is the one that gives the
best PSNR **on these very slices**, which favours SDEdit; below the least that is tried its results come to be the
source, which has a row of its own. The mean image and the histogram that is matched are those of slices of the target
that trained. The U-Net sees every {few}th slice of both modalities of the patients that train.

Scores are means over patients, then over seeds, ± standard deviation over seeds.
"""
_CLAIMS = """Differences between rows of one table. "PSNR of … less that of …" counts for the paper's claim only where
the controls are beaten, too: the mean image, which no source has a part in; the shuffled source, which is the wrong
one; and the source as it is. The interval is over slices, averaged over seeds: it tells how sure a difference is on
these slices, not on other patients, of whom `ms-brain` tests one. p is a paired permutation test over the same
slices, corrected for all rows of this table; of n slices none is below 2 / 2ⁿ before that, so few slices leave p
large, whatever the interval. The last column counts the (seed, patient) pairs in which the first row is ahead.
"""
_GATE = """## Do CT and MR lie on each other?

The chance that MR is brighter in a voxel that CT calls fat (−150 … −30 HU) than in one that it calls muscle (10 … 100
HU). Nothing was registered here: pairs below {least:g} are in the tables of all patients, and left out of those
called "registered". What is below may also be an MR whose fat is dark; either way its CT is no truth for it, voxel by
voxel.

| patient | AUC | |
|---|---|---|
"""
_THIRD = """## Sources of a third kind

Nothing but the target was trained on, so every source is unseen. Here the source is the truth itself, which is
perfectly registered: as it is, with dark for bright, and by a curve that rises up to two thirds of the range and
falls beyond, which no scanner has; and the true source by that curve. PSNR, dB. LMI looks at differences of
intensities within an image alone and does not know their sign, so dark for bright should change nothing.

| direction | truth as source | loss: dark for bright | loss: curve | the source | loss: curve |
|---|---|---|---|---|---|
"""
_SWEEP = """## Where SDEdit begins

PSNR of one sample, dB; mean over slices and over the seeds that came so far: a sweep goes on as long as its last t0 is
its best one.

| direction | source | {t0} |
|{lines}|
"""


def page(found: Found, *, budget: Budget, kind: str, notices: Sequence[str], cells: int) -> str:
    """Return the page of the complete cells, markdown.

    Parameters
    ----------
    found : sequence of (Task, result)
        Complete cells.
    budget : Budget
        Of all of them.
    kind : {"standard", "quick", "full"}
    notices : sequence of str
        What was left out, and why.
    cells : int
        How many there are to be.
    """
    there = [one for one in DIRECTIONS if any(task.direction is one for task, _ in found)]
    auc = registration(found)
    tables = {one.name: lines(found, one) for one in there}
    for one in there:
        if is_gated(one) and auc:
            good = frozenset(patient for patient, value in auc.items() if value >= REGISTERED)
            tables[registered(one.name)] = lines(found, one, only=good)
    facts = asdict(budget) | {"bone": BONE, "air": AIR, "features": RandomConvFeatures.name, "few": FEW}
    parts = [_READING.format(**facts)]
    parts.append(f"## Claims\n\n{_CLAIMS}\n{claims(tables, CLAIMS, heading='direction', units=('patient', 'slice'))}\n")
    for name, rows in tables.items():
        if rows:
            parts.append(f"## {name}\n\n{table(rows, headings(rows), METHODS)}\n")
    parts += [_gate(auc), _third(tables), _sweep(found)]
    return sheet("MIDiffusion", parts, kind=kind, done=len(found), cells=cells, notices=notices)


def lines(found: Found, direction: Direction, *, only: frozenset[str] | None = None) -> dict[str, Line]:
    """Gather the complete cells of a direction, of all its patients or of some.

    KID is of all patients together: where there are only some it is left out.
    """
    mine = [(task, result) for task, result in found if task.direction is direction]
    whole = {}
    for method in METHODS:
        seeds, spent = [], []
        for task, result in sorted(mine, key=lambda one: one[0].seed):
            patients = result["methods"].get(method, {})
            if only is not None:
                patients = {name: _without_kid(patients[name]) for name in patients if name in only}
            if patients:
                seeds.append(patients)
                spent.append((task, result))
        if seeds:
            task, _ = spent[0]
            text = "none" if task.row is None else budget_text(task.training, [result for _, result in spent])
            whole[method] = Line(method, seeds, text, 1)
    return whole


def headings(rows: Mapping[str, Line]) -> dict[str, tuple[str, int]]:
    """Return the columns that a table has a value in."""
    every = [slide["scores"] for line in rows.values() for seed in line.seeds for slide in seed.values()]
    return {key: told for key, told in _HEADINGS.items() if any(scores.get(key) is not None for scores in every)}


def registration(found: Found) -> dict[str, float]:
    """Return the AUC of each patient of CT and MR that tests."""
    known: dict[str, float] = {}
    for _, result in found:
        known |= result.get("registration", {})
    return known


def _without_kid(patient: Mapping[str, Any]) -> dict[str, Any]:
    return {"scores": dict(patient["scores"]) | {"kid": None}, "tiles": patient["tiles"]}


def _gate(auc: Mapping[str, float]) -> str:
    rows = [
        f"| {patient} | {value:.2f} | {'registered' if value >= REGISTERED else ''} |"
        for patient, value in sorted(auc.items())
    ]
    return _GATE.format(least=REGISTERED) + "\n".join(rows) + "\n" if rows else ""


def _third(tables: Mapping[str, Mapping[str, Line]]) -> str:
    """Return what other sources cost, seed by seed against the plain one."""
    wanted, text = {ITSELF, INVERTED, REMAPPED, LMI, THIRD}, []
    for name, rows in tables.items():
        if not wanted <= rows.keys():
            continue
        values = {
            method: np.array(rows[method].values("psnr_db")) for method in (ITSELF, INVERTED, REMAPPED, LMI, THIRD)
        }
        cells = (
            values[ITSELF], values[ITSELF] - values[INVERTED], values[ITSELF] - values[REMAPPED],
            values[LMI], values[LMI] - values[THIRD],
        )  # fmt: skip
        text.append(f"| {name} | {' | '.join(cell(list(one), 2) for one in cells)} |")
    return _THIRD + "\n".join(text) + "\n" if text else ""


def _sweep(found: Found) -> str:
    text = []
    known = [(task.direction, result["sweep"]) for task, result in found if "sweep" in result]
    every = sorted({t0 for _, sweeps in known for one in sweeps.values() for t0 in one}, key=float)
    for direction in DIRECTIONS:
        mine = [sweeps for one, sweeps in known if one is direction]
        for method in mine[0] if mine else ():
            tried = [[one[method][at] for one in mine if at in one[method]] for at in every]
            cells = " | ".join(cell(values, 2) if values else "–" for values in tried)
            text.append(f"| {direction.name} | {method} | {cells} |")
    head = _SWEEP.format(t0=" | ".join(f"t0 = {at}" for at in every), lines="---|" * (1 + len(every)) + "---")
    return head + "\n".join(text) + "\n" if text else ""
