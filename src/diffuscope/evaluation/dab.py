"""How well DAB was found: overlap and area of the positive pixels.

A pixel is positive if its DAB density is above the threshold, as in `diffuscope.evaluation.measurements`.
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError


def dice(truth: NDArray[np.floating], found: NDArray[np.floating], *, threshold: float) -> float:
    """Overlap of the DAB-positive pixels, 2 |A ∩ B| / (|A| + |B|) (Dice 1945).

    Parameters
    ----------
    truth, found : ndarray
        DAB density, OD, of one shape; the order of the two does not matter.
    threshold : float
        OD above which a pixel is positive.

    Returns
    -------
    float
        In [0, 1]; 1 where neither has a positive pixel, since then they agree.

    Raises
    ------
    InputError
        The shapes differ.
    """
    positive, claimed = _positive(truth, found, threshold)
    either = np.count_nonzero(positive) + np.count_nonzero(claimed)
    return 2.0 * np.count_nonzero(positive & claimed) / either if either else 1.0


def area_error_percent(truth: NDArray[np.floating], found: NDArray[np.floating], *, threshold: float) -> float:
    """By how much the DAB-positive area is wrong, in percent of the true one: too much and too little alike.

    Parameters
    ----------
    truth, found : ndarray
        DAB density, OD, of one shape.
    threshold : float
        OD above which a pixel is positive.

    Returns
    -------
    float
        At least 0; NaN where the truth has no positive pixel.

    Raises
    ------
    InputError
        The shapes differ.
    """
    positive, claimed = (np.count_nonzero(mask) for mask in _positive(truth, found, threshold))
    return 100.0 * abs(claimed - positive) / positive if positive else nan


def _positive(
    truth: NDArray[np.floating], found: NDArray[np.floating], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if truth.shape != found.shape:
        raise InputError(f"DAB of shapes {truth.shape} and {found.shape} cannot be compared: give two of one shape.")
    return truth > threshold, found > threshold
