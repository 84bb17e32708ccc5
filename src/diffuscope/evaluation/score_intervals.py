"""How sure the figures of scores are, and whether two models' differ: bootstrap by patient, and DeLong's test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffuscope.evaluation.metrics.statistics import Difference, Interval
from diffuscope.evaluation.scores import score_figures

_RESAMPLES = 2000
_Figures = Callable[[NDArray[np.intp]], dict[str, float]]


def figure_intervals(
    truth: ArrayLike,
    probability: ArrayLike,
    *,
    threshold: float = 0.5,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return what `score_figures` measures, each with where resampled patients put it (percentile bootstrap).

    Parameters
    ----------
    truth, probability, threshold
        As of `score_figures`.
    patients : array_like (n,), optional
        Whose each row is: a patient comes with all rows or with none; default one row each.
    level : float
        Share of the resamples that lie inside, in (0, 1).
    resamples, seed : int
        How many, and of the draws.

    Returns
    -------
    dict of str to Interval
        What needs both classes (macro means, AUROC, AUPRC) is taken over those resamples that have both.
    """
    true, found = np.asarray(truth, bool), np.asarray(probability, np.float64)

    def figures(chosen: NDArray[np.intp]) -> dict[str, float]:
        return score_figures(true[chosen], found[chosen], threshold=threshold)

    return _intervals(figures, len(true), patients, level, resamples, seed)


def figure_differences(
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    threshold: float | tuple[float, float] = 0.5,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return first less second of every figure of two models on the same patients (paired bootstrap).

    Parameters
    ----------
    truth : array_like (n,)
        0 or 1.
    first, second : array_like (n,)
        Probabilities of two models, in one order.
    threshold : float or (float, float)
        Of both, or of each.
    patients, level, resamples, seed
        As of `figure_intervals`.
    """
    true = np.asarray(truth, bool)
    both = [np.asarray(one, np.float64) for one in (first, second)]
    cuts = threshold if isinstance(threshold, tuple) else (threshold, threshold)

    def figures(chosen: NDArray[np.intp]) -> dict[str, float]:
        one, other = (
            score_figures(true[chosen], found[chosen], threshold=cut) for found, cut in zip(both, cuts, strict=True)
        )
        return {name: value - other[name] for name, value in one.items()}

    return _intervals(figures, len(true), patients, level, resamples, seed)


def delong(truth: ArrayLike, first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Difference:
    """Test whether two models' AUROC on the same cases differ.

    E. DeLong, D. DeLong and D. Clarke-Pearson, Comparing the areas under two or more correlated receiver operating
    characteristic curves, Biometrics 1988; its placements by ranks (X. Sun and W. Xu, IEEE Signal Processing Letters
    2014, Eq. 12 and 13).

    Parameters
    ----------
    truth : array_like (n,)
        0 or 1, at least two of each.
    first, second : array_like (n,)
        Scores of each model.
    level : float
        Of the interval.

    Returns
    -------
    Difference
        Of first less second; without width where both put all cases in the same order.
    """
    from scipy.special import ndtr, ndtri

    true = np.asarray(truth, bool)
    positive, negative = zip(*(_placements(true, np.asarray(one, np.float64)) for one in (first, second)), strict=True)
    areas = [float(one.mean()) for one in positive]
    variance = sum(
        float((one[0] - one[1]).var(ddof=1)) / len(one[0]) for one in (np.array(positive), np.array(negative))
    )
    gap = areas[0] - areas[1]
    if variance < 1e-18:  # the placements of equal orders differ in their last digits
        return Difference(Interval(gap, gap, gap), 1.0 if abs(gap) < 1e-9 else 0.0)
    error = variance**0.5
    half = float(ndtri((1 + level) / 2)) * error
    return Difference(Interval(gap, gap - half, gap + half), float(2 * ndtr(-abs(gap) / error)))


def _placements(true: NDArray[np.bool_], found: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Share of the negatives below each positive, and of the positives above each negative, ties counting half."""
    from scipy.stats import rankdata

    ranks = rankdata(found)
    own = [rankdata(found[one]) for one in (true, ~true)]
    positives, negatives = len(own[0]), len(own[1])
    return (ranks[true] - own[0]) / negatives, 1 - (ranks[~true] - own[1]) / positives


def _intervals(
    figures: _Figures, count: int, patients: ArrayLike | None, level: float, resamples: int, seed: int
) -> dict[str, Interval]:
    whose = np.arange(count) if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]
    rows = [np.flatnonzero(whose == one) for one in range(int(whose.max()) + 1)]
    rng = np.random.default_rng(seed)
    values = figures(np.arange(count))
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(resamples):
        chosen = np.concatenate([rows[one] for one in rng.integers(len(rows), size=len(rows))])
        for name, value in figures(chosen).items():
            if name in drawn:
                drawn[name].append(value)
    ends = 100 * np.array([1 - level, 1 + level]) / 2
    return {name: Interval(values[name], *map(float, np.percentile(told, ends))) for name, told in drawn.items()}
