"""What is set right on patients who validate, once a model is trained: its probability, and where it decides."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from diffuscope.systems.calibration import Calibration, evidence

# With fewer of either class nothing is set.
_LEAST = 10
_FOLDS, _RESAMPLES = 10, 200


def choose_threshold(truth: ArrayLike, probability: ArrayLike, *, seed: int = 0) -> float | None:
    """Return the probability from which to decide for the second class: the greatest sensitivity plus specificity.

    (W. Youden, Cancer 1950.) The greatest of few patients lies far off by chance: the median over resampled patients is
    taken.

    Parameters
    ----------
    truth : array_like (n,)
        0 or 1.
    probability : array_like (n,)
        In [0, 1].
    seed : int
        Of the resamples.

    Returns
    -------
    float or None
        None where fewer than ten patients of either class are there.
    """
    true, found = np.asarray(truth, bool), np.asarray(probability, np.float64)
    if min(true.sum(), (~true).sum()) < _LEAST:
        return None
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(one) for one in (true, ~true)]
    cuts = []
    for _ in range(_RESAMPLES):
        chosen = np.concatenate([rng.choice(own, len(own)) for own in places])
        cuts.append(_youden(true[chosen], found[chosen]))
    return float(np.median(cuts))


def fit_calibration(truth: ArrayLike, probability: ArrayLike, *, count: int, seed: int = 0) -> Calibration | None:
    """Return slope and offset of a logistic regression on a score's evidence, where that makes it a better probability.

    Better is a smaller log loss on patients that the regression did not see, by more than one standard error, in
    tenfold cross-validation: of a score that is right already, two more numbers only fit its noise.

    Parameters
    ----------
    truth : array_like (n,)
        0 or 1.
    probability : array_like (n,)
        Means of draws.
    count : int
        Draws of each mean.
    seed : int
        Of the folds.

    Returns
    -------
    (float, float) or None
        For `diffuscope.systems.calibration.calibrated`; None where it does not help, would turn the order round, or
        fewer than ten patients of either class are there.
    """
    true, found = np.asarray(truth, bool), np.asarray(probability, np.float64)
    if min(true.sum(), (~true).sum()) < _LEAST:
        return None
    x = evidence(torch.from_numpy(found), count).numpy()
    folds = np.empty(len(true), int)
    rng = np.random.default_rng(seed)
    for own in (true, ~true):
        folds[own] = rng.permutation(int(own.sum())) % _FOLDS
    gain = np.empty(len(true))
    for fold in range(_FOLDS):
        held = folds == fold
        slope, offset = _regress(true[~held], x[~held])
        gain[held] = _loss(true[held], x[held]) - _loss(true[held], slope * x[held] + offset)
    slope, offset = _regress(true, x)
    helps = gain.mean() > gain.std(ddof=1) / len(gain) ** 0.5
    return (slope, offset) if helps and slope > 0 else None


def _youden(true: NDArray[np.bool_], found: NDArray[np.float64]) -> float:
    """Return the middle of the gap between two scores at which sensitivity plus specificity is greatest."""
    order = np.argsort(found, kind="stable")
    scores, second = found[order], true[order]
    below = np.cumsum(~second) / (~second).sum() - np.cumsum(second) / second.sum()
    between = np.flatnonzero(np.diff(scores))
    if not len(between):
        return float(scores[0])
    best = between[below[between] >= below[between].max() - 1e-12]
    place = best[len(best) // 2]
    return float((scores[place] + scores[place + 1]) / 2)


def _loss(true: NDArray[np.bool_], logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.logaddexp(0.0, np.where(true, -logit, logit))


def _regress(true: NDArray[np.bool_], x: NDArray[np.float64]) -> Calibration:
    """Return slope and offset by Newton's steps, towards Platt's targets, which keep them finite."""
    positive, negative = int(true.sum()), int((~true).sum())
    target = np.where(true, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        found = 1 / (1 + np.exp(-(design @ weights)))
        curvature = (design * (found * (1 - found))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (target - found))
        weights = weights + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), float(weights[1])
