"""How far out a number may lie before no patient like those of training would have it, by each column's own tails."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

# Share of patients like those of training of whom any column may be told.
_TOLD = 0.005
# Of its known values, the share that is a column's tail, and how many these are at least.
_TAIL, _LEAST_OF_TAIL = 0.1, 20
# Shapes of a tail: 0 falls exponentially, which is more than light ones have; from 0.5 on there is no variance to tell.
_HEAVIEST = 0.45


def limits_of(values: NDArray[np.float64], columns: int) -> tuple[float, float]:
    """Return the lowest and the highest value of a column that are not told.

    What lies beyond a high quantile follows a generalised Pareto law (J. Pickands, Annals of Statistics 1975), whose
    scale and shape are those with the mean and the variance that are seen there (J. Hosking and J. Wallis,
    Technometrics 1987). One margin for all columns would have to be that of the one with the heaviest tail.

    Parameters
    ----------
    values : ndarray (n,)
        What is known of those who trained.
    columns : int
        How many are looked at, at each of two ends.

    Returns
    -------
    (float, float)
    """
    share = _TOLD / (2 * columns)
    return -_end(-values, share), _end(values, share)


def _end(values: NDArray[np.float64], share: float) -> float:
    """Return what a share of values exceeds, which may be fewer than one of those that are known."""
    tail = min(max(_TAIL, _LEAST_OF_TAIL / len(values)), 0.5)
    begin = float(np.quantile(values, 1 - tail))
    beyond = values[values > begin] - begin
    if not len(beyond):
        return begin
    mean, variance, rarer = float(beyond.mean()), float(beyond.var()), tail / share
    shape = min(max((1 - mean**2 / variance) / 2, 0.0), _HEAVIEST) if variance > 0 else 0.0
    scale = mean * (1 - shape)
    return begin + scale * (log(rarer) if shape == 0 else (rarer**shape - 1) / shape)
