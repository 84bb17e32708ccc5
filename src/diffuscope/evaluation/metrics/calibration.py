"""Does high uncertainty mean high error: sparsification curves and rank correlation (Ilg et al. 2018, §5).

Arrays are flat or images, one value a pixel; uncertainty is in any unit, since only its order counts
(except for `Correlation.pearson`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError

FRACTIONS = np.linspace(0.0, 0.99, 100)
"""Fractions of the pixels that a sparsification curve removes."""

_Real = NDArray[np.floating]


class Correlation(NamedTuple):
    """How uncertainty and error go together.

    Attributes
    ----------
    pearson, spearman : float
        Of the values and of their ranks, in [−1, 1]; NaN where either is constant.
    """

    pearson: float
    spearman: float


def sparsification(error: _Real, uncertainty: _Real) -> NDArray[np.float64]:
    """Mean error that is left when the most uncertain pixels are removed, over the mean of all.

    Pixels of one uncertainty leave in no order: each counts with the mean error of its equals.

    Parameters
    ----------
    error : ndarray
        At least 0, somewhere above.
    uncertainty : ndarray
        Of the same shape.

    Returns
    -------
    ndarray of shape (100,)
        At `FRACTIONS`; starts at 1, and falls where uncertainty tells the truth.

    Raises
    ------
    InputError
        The shapes differ, or the error is negative somewhere or zero everywhere.
    """
    if error.shape != uncertainty.shape:
        raise InputError(f"errors {error.shape} and uncertainties {uncertainty.shape} must be of one shape.")
    errors = error.ravel().astype(np.float64)
    if not errors.size or errors.min() < 0 or errors.max() == 0:
        raise InputError("a sparsification curve needs errors of at least 0 that are not all 0.")
    _, group, equals = np.unique(uncertainty.ravel(), return_inverse=True, return_counts=True)
    ascending = np.repeat(np.bincount(group, weights=errors) / equals, equals)
    kept = errors.size - (FRACTIONS * errors.size).astype(int)
    return np.asarray(ascending.cumsum()[kept - 1] / kept / errors.mean())


def ause(error: _Real, uncertainty: _Real) -> float:
    """Area under the sparsification error: between the curve of the uncertainty and that of the error itself.

    Parameters
    ----------
    error, uncertainty : ndarray
        As in `sparsification`.

    Returns
    -------
    float
        At least 0, which is the best order there is; a constant uncertainty, which is no order, gives what removing
        at random gives on average.
    """
    return float(np.mean(sparsification(error, uncertainty) - sparsification(error, error)))


def correlation(error: _Real, uncertainty: _Real) -> Correlation:
    """Correlate uncertainty with error, or with a known standard deviation.

    Parameters
    ----------
    error, uncertainty : ndarray
        Of one shape, at least two values.

    Returns
    -------
    Correlation

    Raises
    ------
    InputError
        The shapes differ, or there are fewer than two values.
    """
    from scipy.stats import rankdata

    if error.shape != uncertainty.shape or error.size < 2:
        raise InputError(
            f"errors {error.shape} and uncertainties {uncertainty.shape} must be of one shape, two or more."
        )
    a, b = error.ravel().astype(np.float64), uncertainty.ravel().astype(np.float64)
    if a.min() == a.max() or b.min() == b.max():
        return Correlation(np.nan, np.nan)
    return Correlation(
        float(np.corrcoef(a, b)[0, 1]),
        float(np.corrcoef(rankdata(a), rankdata(b))[0, 1]),
    )
