"""How well DAB was found: overlap and area of the positive pixels.

A pixel is positive if its DAB density is above the threshold, as in `diffuscope.measurement.measurements`.
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError


class Overlap(NamedTuple):
    """Positive pixels counted; the sum of two is that of both images together.

    Attributes
    ----------
    true, found, both : int
        Positive in the truth, in what was found, and in both.
    """

    true: int
    found: int
    both: int

    def plus(self, other: Overlap) -> Overlap:
        """Return the counts of both."""
        return Overlap(self.true + other.true, self.found + other.found, self.both + other.both)

    @property
    def dice(self) -> float:
        """2 |A ∩ B| / (|A| + |B|) (Dice 1945), in [0, 1]; 1 where neither has a positive pixel: then they agree."""
        either = self.true + self.found
        return 2.0 * self.both / either if either else 1.0

    @property
    def area_error_percent(self) -> float:
        """|found − true| / true in percent, at least 0; NaN where the truth has no positive pixel."""
        return 100.0 * abs(self.found - self.true) / self.true if self.true else nan


def overlap(truth: NDArray[np.floating], found: NDArray[np.floating], *, threshold: float) -> Overlap:
    """Count positive pixels of two images.

    Parameters
    ----------
    truth, found : ndarray
        DAB density, OD, or a mask's probability, of one shape.
    threshold : float
        Above which a pixel is positive.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        The shapes differ.
    """
    positive, claimed = _positive(truth, found, threshold)
    return Overlap(*(int(np.count_nonzero(mask)) for mask in (positive, claimed, positive & claimed)))


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
    return overlap(truth, found, threshold=threshold).dice


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
    return overlap(truth, found, threshold=threshold).area_error_percent


def _positive(
    truth: NDArray[np.floating], found: NDArray[np.floating], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if truth.shape != found.shape:
        raise InputError(f"DAB of shapes {truth.shape} and {found.shape} cannot be compared: give two of one shape.")
    return truth > threshold, found > threshold
