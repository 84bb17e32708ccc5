"""The page of MMFusion's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.reproduce.mmfusion import sections
from benchmarks.reproduce.mmfusion.report import Line
from benchmarks.reproduce.mmfusion.tasks import SOURCES, Budget, Task
from benchmarks.reproduce.sheet import sheet

Found = Sequence[tuple[Task, Mapping[str, Any]]]

_READING = """## How to read it

Three folds by patient, {seeds} seeds of folds and weights, and every row on the same folds. Of the patients who do not
test, a fifth validates: epoch, the settings of the rivals, the cut (Youden's) and the calibration (Platt's, where it
helps there) are chosen there and there only; scalers and imputers see the rows that train. Precision, recall and F1 are
**macro**, means over both classes, as the paper's are. ± is the standard deviation over seeds; intervals are those of
resampled patients (95 %, percentile bootstrap), who come with all their seeds. Brier and ECE are of the score as it is;
"calibrated" are those after it.

Differences: of accuracies, a t-test over the folds of all seeds with the correction for trainings that share patients
(Nadeau and Bengio 2003); of AUROC, DeLong's test on the mean score over seeds; of Brier, a permutation test over
patients. p is Holm's, over all rows of a table of differences.

MMFusion trains in two rounds, the guide alone and then CFD, of each of which the epoch that validates best is kept:
{tables} of {table_batch} on real tables, {images} of {image_batch} on simulated patients. "Frozen": CFD does not move
the guide (CARD); "joint": it does in the second round (Eq. 7 of the paper). Frozen is what rows have that do not say
otherwise. The features of a case are its nodes side by side, with simulated patients, or their mean, on real tables. A
score is the mean of {samples} draws a guide.
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
    plans = {"tables": budget.tables, "images": budget.images}
    steps = {name: f"{plan.guide.steps} and {plan.diffusion.steps} steps" for name, plan in plans.items()}
    batches = {"table_batch": budget.tables.guide.batch, "image_batch": budget.images.guide.batch}
    parts = [_READING.format(seeds=budget.seeds, samples=budget.tables.samples, **steps, **batches)]
    for source in SOURCES:
        own = lines([one for one in found if one[0].source is source])
        if own:
            parts += sections.of(source.name, own)
    return sheet("MMFusion", parts, kind=kind, done=len(found), cells=cells, notices=notices)


def lines(found: Found) -> dict[str, Line]:
    """Gather the complete cells of a study by row, in the order of its table."""
    whole: dict[str, Line] = {}
    for row in found[0][0].source.rows if found else ():
        seeds = {task.seed: result for task, result in found if task.row is row}
        if seeds:
            whole[row.name] = Line(row, found[0][0].study, dict(sorted(seeds.items())))
    return whole
