"""What lies near what: is a sample a copy of a training image, and are modalities apart or mixed.

Features are arrays (n, d), one row an image: its pixels, or what an extractor makes of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from diffuscope.errors import InputError

_Float = NDArray[np.float64]


class Memorised(NamedTuple):
    """How near samples lie to what trained, against images that did not train.

    Attributes
    ----------
    found, held : float
        Median distance of a sample, and of a held-out image, to the nearest training image.
    nearer : float
        Chance that a sample lies nearer than a held-out image, ties counting half: 0.5 where nothing is memorised.
    p : float
        One-sided Mann–Whitney test: how often chance makes samples lie as near. Images are taken for independent.
    copies : float
        Share of samples that lie nearer than all but 1 % of the held-out images.
    """

    found: float
    held: float
    nearer: float
    p: float
    copies: float


def nearest(features: ArrayLike, train: ArrayLike) -> tuple[_Float, NDArray[np.intp]]:
    """Return each row's Euclidean distance to the nearest of `train`, and which one that is.

    Raises
    ------
    InputError
        The dimensions differ, or one of both is empty.
    """
    own, others = np.asarray(features, np.float64), np.asarray(train, np.float64)
    if own.ndim != 2 or own.shape[1:] != others.shape[1:] or not own.size or not others.size:
        raise InputError(f"features {own.shape} and {others.shape} cannot be compared: use one extractor for both.")
    apart = cdist(own, others)
    which = apart.argmin(axis=1)
    return apart[np.arange(len(own)), which], which


def memorised(found: ArrayLike, held: ArrayLike, train: ArrayLike) -> Memorised:
    """Compare how near samples and held-out images lie to the images that trained.

    Parameters
    ----------
    found, held, train : array_like of shapes (n, d), (m, d), (k, d)
        Features of samples, of images of the same kind that did not train, and of those that did.

    Raises
    ------
    InputError
        As of `nearest`.
    """
    from scipy import stats

    own, other = nearest(found, train)[0], nearest(held, train)[0]
    test = stats.mannwhitneyu(own, other, alternative="less")
    # U counts the pairs in which the sample is farther.
    nearer = 1.0 - float(test.statistic) / (len(own) * len(other))
    copies = float((own < np.quantile(other, 0.01)).mean())
    return Memorised(float(np.median(own)), float(np.median(other)), nearer, float(test.pvalue), copies)


def mixing(features: ArrayLike, classes: ArrayLike, *, neighbours: int = 10) -> float:
    """Return how mixed classes are: the share of others among nearest neighbours, over what chance gives.

    Parameters
    ----------
    features : array_like (n, d)
    classes : array_like (n,)
        Two or more, e.g. modalities.
    neighbours : int
        Of each row, itself left out.

    Returns
    -------
    float
        0: each class by itself; 1: as if classes were dealt out.

    Raises
    ------
    InputError
        There is one class, or there are too few rows.
    """
    points, which = np.asarray(features, np.float64), np.unique(np.asarray(classes), return_inverse=True)[1]
    counts = np.bincount(which)
    if len(counts) < 2 or len(points) <= neighbours:
        raise InputError(f"{len(points)} rows of {len(counts)} classes: give two classes and more than {neighbours}.")
    apart = cdist(points, points)
    np.fill_diagonal(apart, np.inf)
    near = np.argpartition(apart, neighbours - 1, axis=1)[:, :neighbours]
    others = float((which[near] != which[:, None]).mean())
    chance = float((counts * (len(points) - counts)).sum() / (len(points) * (len(points) - 1)))
    return others / chance
