"""Does an interval cover what it says it covers, and does its width tell of error: as the page says it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.reproduce.mmfusion.report import Line
from diffuscope.evaluation.trust import error_auroc, selective_accuracy

_TEXT = """### Does the score know how sure it is?

Ten guides of resampled patients ("MMFusion of ten guides", {seeds} seeds); the interval over the guides is to hold the
score of one more guide, trained on other patients of the same kind, 9 times in 10. {fresh} such guides were
trained, each on another simulated cohort of as many patients, and scored the patients of the table.

| | found | goal |
|---|---|---|
| scores of guides of other patients that lie in the interval | {covered:.1f} % | 87–93 % |
| true probabilities that lie in it, which it does not claim | {true:.1f} % | – |
| median width | {width:.3f} | – |
| width against error: AUROC | {auroc:.3f} | > 0.6 |
| nearness of the score to its cut against error: AUROC | {near:.3f} | – |
| accuracy of all patients | {accuracy:.1f} % | – |
| accuracy of the 80 % with the narrowest intervals | {narrow:.1f} % | above that of all |
| accuracy of the 80 % farthest from the cut | {far:.1f} % | above that of all |
"""


def of(lines: Mapping[str, Line]) -> str:
    """Return the section; nothing where its two rows are not there."""
    if not {"guides", "fresh"} <= lines.keys():
        return ""
    line, other = lines["guides"], lines["fresh"].array("probability")
    low, high, score = line.array("low"), line.array("high"), line.array("probability")
    cut, label, truth = line.array("cut"), line.study.label, line.study.truth
    assert truth is not None
    inside = [((other >= a) & (other <= b)).mean() for a, b in zip(low, high, strict=True)]
    right = ((score >= cut) == label.astype(bool)).ravel()
    width, nearness = (high - low).ravel(), -np.abs(score - cut).ravel()
    return _TEXT.format(
        seeds=len(line.seeds),
        fresh=len(other),
        covered=100 * float(np.mean(inside)),
        true=100 * float(((truth >= low) & (truth <= high)).mean()),
        width=float(np.median(width)),
        auroc=error_auroc(right, width),
        near=error_auroc(right, nearness),
        accuracy=100 * float(right.mean()),
        narrow=100 * selective_accuracy(right, width, coverage=0.8),
        far=100 * selective_accuracy(right, nearness, coverage=0.8),
    )
