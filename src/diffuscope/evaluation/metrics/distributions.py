"""How near a set of images comes to another as a whole, by their features: FID, KID, precision and recall.

Features are arrays (n, d), one row an image, as a `FeatureExtractor` (`diffuscope.evaluation.metrics.features`) returns
them. Values are comparable only between sets of one size and features of one extractor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from diffuscope.errors import InputError

_Float = NDArray[np.float64]


class Moments(NamedTuple):
    """Mean and covariance of features.

    Attributes
    ----------
    mean : ndarray of shape (d,)
    covariance : ndarray of shape (d, d)
        Without bias (over n − 1).
    """

    mean: _Float
    covariance: _Float

    @classmethod
    def of(cls, features: _Float) -> Moments:
        """Take them of features (n, d), n at least 2."""
        if features.ndim != 2 or len(features) < 2:
            raise InputError(f"features of shape {features.shape} have no covariance: two images or more are needed.")
        return cls(features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False)))


class Estimate(NamedTuple):
    """A value and how far chance moves it.

    Attributes
    ----------
    value, standard_error : float
    """

    value: float
    standard_error: float


class PrecisionRecall(NamedTuple):
    """How real and how varied.

    Attributes
    ----------
    precision : float
        Share of the found images that lie among the true ones.
    recall : float
        Share of the true images that lie among the found ones.
    """

    precision: float
    recall: float


def frechet_distance(truth: Moments, found: Moments) -> float:
    """Squared Fréchet distance of two Gaussians, Dowson & Landau 1982: |Δμ|² + tr(A + B − 2 (AB)^½).

    The trace of (AB)^½ is the sum of the singular values of A^½ B^½, which exists for every covariance, of whatever
    rank, and is real: no matrix root of a product that is not symmetric, and nothing added to its diagonal.

    Parameters
    ----------
    truth, found : Moments
        Of features of one dimension; the order of the two does not matter.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    InputError
        The dimensions differ.
    """
    if truth.mean.shape != found.mean.shape:
        raise InputError(f"features of {truth.mean.size} and {found.mean.size} numbers: use one extractor for both.")
    apart = float(np.sum((truth.mean - found.mean) ** 2))
    spread = float(np.trace(truth.covariance) + np.trace(found.covariance))
    common = np.linalg.svd(_root(truth.covariance).T @ _root(found.covariance), compute_uv=False).sum()
    return max(apart + spread - 2.0 * float(common), 0.0)


def fid(truth: _Float, found: _Float) -> float:
    """Fréchet distance of the features' Gaussians (Heusel et al. 2017, eq. 6); with FID's Inception features, FID.

    Samples differ where their sources do not. For n and m images from one isotropic Gaussian of d dimensions and
    variance s, n and m well above d, the value is on average s (1 / n + 1 / m) (d + d (d + 1) / 4), with a standard
    deviation of s (1 / n + 1 / m) √(2 d + d (d + 1) / 4). With fewer images than dimensions it tells little else.

    Parameters
    ----------
    truth, found : ndarray of shapes (n, d) and (m, d)
        n and m at least 2.

    Returns
    -------
    float
        At least 0, in squared units of the features.

    Raises
    ------
    InputError
        The dimensions differ, or there are fewer than two images.
    """
    return frechet_distance(Moments.of(truth), Moments.of(found))


def mmd2(truth: _Float, found: _Float) -> float:
    """Unbiased squared maximum mean discrepancy under the kernel (x·y / d + 1)³ (Bińkowski et al. 2018, §4 and eq. 4).

    Parameters
    ----------
    truth, found : ndarray of shapes (n, d) and (m, d)
        n and m at least 2; the order of the two does not matter.

    Returns
    -------
    float
        0 on average where the sources are the same, so that it may be negative.

    Raises
    ------
    InputError
        The dimensions differ, or there are fewer than two images.
    """
    _check(truth, found, smallest=2)
    within = 0.0
    for x in (truth, found):
        alike = _kernel(x, x)
        within += (alike.sum() - np.trace(alike)) / (len(x) * (len(x) - 1))
    return float(within - 2.0 * _kernel(truth, found).mean())


def kid(truth: _Float, found: _Float, *, subsets: int = 10, seed: int = 0) -> Estimate:
    """Kernel inception distance (Bińkowski et al. 2018): the mean of `mmd2` over subsets, and its standard error.

    Both sets are shuffled and cut into subsets that share no image. The paper draws them with overlap, which leaves
    the mean as it is but makes a standard error that falls with the number of subsets, however few the images.

    Parameters
    ----------
    truth, found : ndarray of shapes (n, d) and (m, d)
        At least two images a subset; of the larger set as many are used as of the smaller.
    subsets : int
        At least 2. The standard error is itself uncertain by 1 part in √(2 · (subsets − 1)).
    seed : int
        Of the shuffle.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        The dimensions differ, or there are too few images or subsets.
    """
    if subsets < 2:
        raise InputError(f"{subsets} subset has no standard error: ask for two or more.")
    _check(truth, found, smallest=2 * subsets)
    rng = np.random.default_rng(seed)
    size = min(len(truth), len(found)) // subsets
    parts = [rng.permutation(x)[: subsets * size].reshape(subsets, size, -1) for x in (truth, found)]
    values = [mmd2(a, b) for a, b in zip(*parts, strict=True)]
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(subsets)))


def precision_recall(truth: _Float, found: _Float, *, neighbours: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2).

    An image lies among a set if it is as near to one of its images as that one's k-th nearest neighbour in the set.
    All distances are held at once: 8 n m bytes.

    Parameters
    ----------
    truth, found : ndarray of shapes (n, d) and (m, d)
        More images each than `neighbours`.
    neighbours : int
        k; the paper's is 3.

    Returns
    -------
    PrecisionRecall
        Both in [0, 1].

    Raises
    ------
    InputError
        The dimensions differ, or there are too few images.
    """
    _check(truth, found, smallest=neighbours + 1)
    across = cdist(truth, found)
    # The nearest of all is the image itself.
    reach_truth, reach_found = (np.partition(cdist(x, x), neighbours, axis=1)[:, neighbours] for x in (truth, found))
    return PrecisionRecall(
        precision=float(np.mean((across <= reach_truth[:, None]).any(axis=0))),
        recall=float(np.mean((across <= reach_found[None, :]).any(axis=1))),
    )


def _root(covariance: _Float) -> _Float:
    """Return R with R Rᵀ = covariance; what rounding made negative is 0."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(values.clip(min=0.0)))


def _kernel(a: _Float, b: _Float) -> _Float:
    return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)


def _check(truth: _Float, found: _Float, *, smallest: int) -> None:
    if truth.ndim != 2 or truth.shape[1:] != found.shape[1:]:
        raise InputError(f"features {truth.shape} and {found.shape} cannot be compared: use one extractor for both.")
    if min(len(truth), len(found)) < smallest:
        raise InputError(f"{len(truth)} and {len(found)} images are too few: this measure needs {smallest} of each.")
