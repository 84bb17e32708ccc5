"""From probabilities to a table's figures: cut and calibrated by those who validate, pooled over folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.evaluation.scores import score_figures

Floats = NDArray[np.float64]
DECIDED = ("accuracy", "macro precision", "macro recall", "macro F1")
_EDGE = 1e-3


def best_cut(label: NDArray[np.int64], found: Floats) -> float:
    """Return the cut with the best macro F1: the middle of the widest gap between scores where several are."""
    known = np.unique(np.concatenate([[0.0], found, [1.0]]))
    cuts = (known[1:] + known[:-1]) / 2
    merit = np.array([score_figures(label, found, threshold=cut)["macro F1"] for cut in cuts])
    good = np.flatnonzero(merit >= merit.max() - 1e-12)
    return float(cuts[good[np.diff(known)[good].argmax()]])


def calibration(label: NDArray[np.int64], found: Floats) -> tuple[float, float]:
    """Return slope and intercept of a logistic curve over the logit of scores (J. Platt, 1999), held to 1 and 0.

    Where few validate, an unheld slope is chance: a normal prior of standard deviation 1 stands around both.
    """
    from scipy.optimize import minimize

    z = logit(found)

    def loss(curve: Floats) -> float:
        at = curve[0] * z + curve[1]
        told = np.logaddexp(0.0, at) - label * at
        return float(told.sum() + ((curve - np.array([1.0, 0.0])) ** 2).sum() / 2)

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(slope), float(intercept)


def calibrated(found: Floats, curve: tuple[float, float]) -> Floats:
    """Return scores by a curve of `calibration`."""
    return np.asarray(1 / (1 + np.exp(-(curve[0] * logit(found) + curve[1]))))


def logit(found: Floats) -> Floats:
    """Return log p/(1 − p) of scores, of which none is taken for certain."""
    held = np.clip(found, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(held / (1 - held)))


def figures(
    label: NDArray[np.int64], found: Floats, cuts: Floats, curved: Floats | Sequence[float]
) -> dict[str, float]:
    """Return the figures of a seed, all folds together.

    Parameters
    ----------
    label, found : ndarray (n,)
        0 or 1, and the scores of those who test.
    cuts : ndarray (n,)
        The cut of the fold that each tested in.
    curved : ndarray (n,)
        Their scores as calibrated.
    """
    decided = score_figures(label, found - cuts, threshold=0.0)
    probable = score_figures(label, found)
    after = score_figures(label, curved)
    kept = {name: (decided if name in DECIDED else probable)[name] for name in probable}
    return kept | {"Brier, calibrated": after["Brier"], "ECE, calibrated": after["ECE"]}
