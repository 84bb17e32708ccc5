"""How sure a figure is, and whether two models differ: intervals over cases, paired tests, Holm's correction.

A case is what was drawn independently: a slide or a patient, not a tile of it. Tiles of one slide are alike, and taking
them for cases makes intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffuscope.errors import InputError

_RESAMPLES = 9999
# Up to here every one of the 2ⁿ signs is tried: no more than there would be resamples.
_EXACT_CASES = 13


class Interval(NamedTuple):
    """A figure with its confidence interval.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """How far two models are apart in one figure.

    Attributes
    ----------
    interval : Interval
        Of first less second.
    p : float
        Two-sided: how often chance alone makes as great a difference.
    """

    interval: Interval
    p: float


class Comparison(NamedTuple):
    """Two models on the same cases.

    Attributes
    ----------
    difference : Interval
        Mean of first less second, with its interval (95 %, BCa).
    wilcoxon_p, permutation_p : float
        Two-sided: how often chance alone makes as great a difference, by ranks and by means.
    """

    difference: Interval
    wilcoxon_p: float
    permutation_p: float


def bootstrap_interval(
    cases: ArrayLike,
    statistic: Callable[..., NDArray[np.floating] | float] = np.mean,
    *,
    level: float = 0.95,
    method: Literal["BCa", "percentile"] = "BCa",
    seed: int = 0,
) -> Interval:
    """Confidence interval of a statistic by resampling cases (Efron 1987).

    Parameters
    ----------
    cases : array_like of shape (n,)
        One figure a case, at least two, all finite.
    statistic : callable
        Takes an array and ``axis``, as `numpy.mean` and `numpy.median` do.
    level : float
        Share of such intervals that hold the true value, in (0, 1).
    method : {"BCa", "percentile"}
        BCa corrects bias and skewness.
    seed : int
        Of the 9999 resamples.

    Returns
    -------
    Interval
        Without width where all cases are equal.

    Raises
    ------
    InputError
        There are fewer than two cases, or one is not finite.
    """
    from scipy import stats

    figures = _cases(cases)
    value = float(statistic(figures, axis=-1))
    if figures.min() == figures.max():
        return Interval(value, value, value)
    # random_state, not rng: the oldest scipy that is supported knows no other.
    interval = stats.bootstrap(
        (figures,),
        statistic,
        axis=-1,
        n_resamples=_RESAMPLES,
        confidence_level=level,
        method=method,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(interval.low), float(interval.high))


def compare(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> Comparison:
    """Compare two models' figures on the same cases.

    Parameters
    ----------
    first, second : array_like of shape (n,)
        One figure a case, in one order, at least two, all finite.
    seed : int
        Of resamples and permutations.

    Returns
    -------
    Comparison
        With `wilcoxon` and `permutation_test`, of which see there.

    Raises
    ------
    InputError
        The numbers of cases differ or are below two, or a figure is not finite.
    """
    differences = _differences(first, second)
    return Comparison(
        bootstrap_interval(differences, seed=seed),
        wilcoxon(first, second),
        permutation_test(first, second, seed=seed),
    )


def wilcoxon(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided signed-rank test of paired figures (Wilcoxon 1945); cases without a difference are left out.

    Parameters
    ----------
    first, second : array_like of shape (n,)
        As in `compare`.

    Returns
    -------
    float
        p in (0, 1]; 1 where no case differs.
    """
    from scipy import stats

    differences = _differences(first, second)
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def permutation_test(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided paired permutation test of the mean difference: which model is which is swapped case by case.

    All 2ⁿ swaps up to 13 cases; beyond, 9999 drawn ones, of which the one that was observed is a further
    (Phipson & Smyth 2010), so that p is never 0.

    Parameters
    ----------
    first, second : array_like of shape (n,)
        As in `compare`.
    seed : int
        Of the drawn swaps.

    Returns
    -------
    float
        p in (0, 1].
    """
    differences = _differences(first, second)
    n = len(differences)
    if n <= _EXACT_CASES:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1, 1], size=(_RESAMPLES, n))
        signs = np.concatenate([np.ones((1, n), dtype=signs.dtype), signs])
    sums = np.abs(signs @ differences)
    # Sums of the same numbers in another order differ in their last digits.
    slack = 1e-12 * np.abs(differences).sum()
    return float(np.mean(sums >= abs(differences.sum()) - slack))


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided exact test of two models' decisions on the same cases (McNemar 1947): of those that only one got right.

    Parameters
    ----------
    first, second : array_like of bool, shape (n,)
        Whether each model was right, case by case.

    Returns
    -------
    float
        p in (0, 1]; 1 where both are right and wrong on the same cases.
    """
    from scipy import stats

    differences = _differences(first, second)
    only_first, only_second = int((differences > 0).sum()), int((differences < 0).sum())
    apart = only_first + only_second
    return float(stats.binomtest(only_first, apart).pvalue) if apart else 1.0


def paired_t(first: ArrayLike, second: ArrayLike, *, overlap: float = 0.0, level: float = 0.95) -> Difference:
    """Two-sided paired t test of figures of folds or runs, corrected for the cases that their trainings share.

    Folds of one cohort train on mostly the same cases, so that their differences are no independent draws, and the
    plain test finds differences too often; the variance of the mean is s² (1/n + overlap) (C. Nadeau and Y. Bengio,
    Inference for the generalization error, Machine Learning 2003, Eq. 6).

    Parameters
    ----------
    first, second : array_like of shape (n,)
        One figure a fold, in one order, at least two, all finite.
    overlap : float
        Cases that test over cases that train: 0.5 of three folds; 0 is the plain test.
    level : float
        Of the interval of the mean difference.

    Returns
    -------
    Difference
        Of first less second; without width, and p of 0 or 1, where all folds differ by the same.
    """
    from scipy import stats

    differences = _differences(first, second)
    n, mean = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) * (1 / n + overlap) ** 0.5
    if error == 0:
        return Difference(Interval(mean, mean, mean), 0.0 if mean else 1.0)
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    return Difference(Interval(mean, mean - half, mean + half), float(2 * stats.t.sf(abs(mean) / error, n - 1)))


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests, so that the chance of any false finding stays what one p says (Holm 1979).

    Parameters
    ----------
    p : sequence of float
        In [0, 1].

    Returns
    -------
    list of float
        In the order given, each at least as large as before and at most 1.
    """
    order = np.argsort(p)
    stepped = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in adjusted]


def _cases(cases: ArrayLike) -> NDArray[np.float64]:
    figures = np.asarray(cases, dtype=np.float64)
    if figures.ndim != 1 or len(figures) < 2 or not np.isfinite(figures).all():
        raise InputError(
            f"two finite figures or more are needed, one a case, not {figures.shape}: leave out what is undefined."
        )
    return figures


def _differences(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    a, b = _cases(first), _cases(second)
    if a.shape != b.shape:
        raise InputError(f"{len(a)} and {len(b)} cases cannot be paired: give both models the same ones.")
    return a - b
