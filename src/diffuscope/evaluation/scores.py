"""How good scores of a cohort are: as decisions, as an order, and as probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Bins of equal width of the expected calibration error (C. Guo et al., ICML 2017).
BINS = 10


def score_figures(truth: ArrayLike, probability: ArrayLike, *, threshold: float = 0.5) -> dict[str, float]:
    """Measure probabilities of the second class against what was.

    Parameters
    ----------
    truth : array_like (n,)
        0 or 1.
    probability : array_like (n,)
        In [0, 1].
    threshold : float
        From which the second class is decided for.

    Returns
    -------
    dict of str to float
        Accuracy; precision, recall and F1 as means over both classes (macro), AUROC and AUPRC (average precision), all
        left out where only one class is there; Brier score; expected calibration error of the probability.
    """
    true = np.asarray(truth, bool)
    found = np.asarray(probability, np.float64)
    decided = found >= threshold
    figures = {"accuracy": float((decided == true).mean())}
    if true.any() and not true.all():
        figures |= _macro(true, decided) | {"AUROC": auroc(true, found), "AUPRC": _average_precision(true, found)}
    figures["Brier"] = float(((found - true) ** 2).mean())
    figures["ECE"] = _calibration_error(true, found)
    return figures


def auroc(true: NDArray[np.bool_], found: NDArray[np.float64]) -> float:
    """Return the chance that one of the second class scores above one of the first, ties counting half."""
    from scipy.stats import rankdata

    positive, negative = int(true.sum()), int((~true).sum())
    above = rankdata(found)[true].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def _macro(true: NDArray[np.bool_], decided: NDArray[np.bool_]) -> dict[str, float]:
    """Return the means over both classes, which are both there; of a class that is never decided for, 0."""
    each = []
    for is_it, said in ((true, decided), (~true, ~decided)):
        hits = float((is_it & said).sum())
        precision, recall = hits / max(float(said.sum()), 1.0), hits / float(is_it.sum())
        each.append((precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0))
    means = np.mean(each, axis=0)
    return dict(zip(("macro precision", "macro recall", "macro F1"), map(float, means), strict=True))


def _average_precision(true: NDArray[np.bool_], found: NDArray[np.float64]) -> float:
    """Return the area under precision over recall, in steps: cases of one score come at once."""
    order = np.argsort(-found, kind="stable")
    last = np.append(np.diff(found[order]) != 0, True)
    hits = np.cumsum(true[order])[last]
    precision = hits / (np.flatnonzero(last) + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / true.sum())


def _calibration_error(true: NDArray[np.bool_], found: NDArray[np.float64]) -> float:
    bins = np.minimum((found * BINS).astype(int), BINS - 1)
    gaps = [abs(found[bins == one].sum() - true[bins == one].sum()) for one in range(BINS)]
    return float(sum(gaps) / len(true))
