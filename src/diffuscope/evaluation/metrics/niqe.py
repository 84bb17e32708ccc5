"""NIQE: how far an image's local statistics are from those of pristine images (Mittal, Soundararajan and Bovik 2013).

The paper's pristine images are 125 photographs. Here whoever measures gives them, so that a value says how far an image
is from those, and is comparable only between images held against the same ones in patches of one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import gamma

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.distributions import Moments

_Float = NDArray[np.float64]

# The paper's window of 7 × 7 px, 7 / 6 px wide, and the constant of Eq. 1, for images of 0 to 255.
_RADIUS, _SIGMA, _C = 3, 7 / 6, 1.0
_WINDOW = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
_WINDOW /= _WINDOW.sum()
# Pairs of neighbours: right, below, and both diagonals.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
# Of pristine images, patches at least this sharp against their image's sharpest (§3.2).
_SHARP = 0.75
_SCALES = 2
_SHAPES = np.arange(0.2, 10.001, 0.001)
_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))


class Asymmetric(NamedTuple):
    """An asymmetric generalised Gaussian (Eq. 7).

    Attributes
    ----------
    shape : float
        2 of a Gaussian, 1 of a Laplacian.
    left, right : float
        Scales β of the two sides.
    """

    shape: float
    left: float
    right: float

    @property
    def mean(self) -> float:
        """Its mean (Eq. 8)."""
        return float((self.right - self.left) * gamma(2 / self.shape) / gamma(1 / self.shape))


def fit_asymmetric(values: _Float) -> Asymmetric:
    """Fit by moments (Lasmar et al. 2009), as NIQE does; `values` of any shape, some of either sign."""
    squares = values**2
    left, right = np.sqrt(squares[values < 0].mean()), np.sqrt(squares[values > 0].mean())
    ratio = left / right
    own = np.abs(values).mean() ** 2 / squares.mean() * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin((_RATIOS - own) ** 2)])
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return Asymmetric(shape, float(left * scale), float(right * scale))


def normalised(image: _Float) -> tuple[_Float, _Float]:
    """Return the image less its local mean, over its local deviation (Eq. 1), and that deviation."""
    mean = _blurred(image)
    deviation = np.sqrt(np.abs(_blurred(image**2) - mean**2))
    return (image - mean) / (deviation + _C), deviation


def patch_features(image: _Float, *, patch: int) -> tuple[_Float, _Float]:
    """Return 36 features of each patch that has any contrast, and its sharpness.

    Parameters
    ----------
    image : ndarray (h, w)
        Grey values from 0 to 255, both sides at least `patch`.
    patch : int
        Side in px, even; 96 in the paper. Of the second scale, half as large, it covers the same place.

    Returns
    -------
    features : ndarray of shape (n, 36)
    sharpness : ndarray of shape (n,)
        Mean local deviation at the first scale.

    Raises
    ------
    InputError
        The image is none, or too small.
    """
    if image.ndim != 2 or min(image.shape) < patch or patch % 2:
        raise InputError(f"an image of {image.shape} has no patches of {patch} px: give an even side that fits.")
    now = np.asarray(image, np.float64)
    rows, columns = (side // patch for side in now.shape)
    every: list[list[_Float]] = []
    sharpness = np.empty(0)
    for scale in range(_SCALES):
        side = patch >> scale
        flat, deviation = normalised(now[: rows * side, : columns * side])
        every.append([_statistics(one) for one in _cut(flat, side)])
        if not scale:
            sharpness = np.array([one.mean() for one in _cut(deviation, side)])
        height, width = (2 * (length // 2) for length in now.shape)
        now = now[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    features = np.array([np.concatenate(one) for one in zip(*every, strict=True)])
    known = np.isfinite(features).all(axis=1)
    return features[known], sharpness[known]


def pristine(images: Sequence[_Float], *, patch: int) -> Moments:
    """Return the Gaussian of the features of sharp patches of pristine images (§3.3).

    Parameters
    ----------
    images : sequence of ndarray (h, w)
        Grey values from 0 to 255.
    patch : int
        As of `patch_features`.

    Raises
    ------
    InputError
        As of `patch_features`; they have fewer patches than features.
    """
    kept = []
    for image in images:
        features, sharpness = patch_features(image, patch=patch)
        kept.append(features[sharpness > _SHARP * sharpness.max(initial=0.0)])
    every = np.concatenate(kept) if kept else np.empty((0, 0))
    if len(every) <= every.shape[1]:
        raise InputError(f"{len(every)} sharp patches are too few for a Gaussian of 36 numbers: give more images.")
    return Moments.of(every)


def niqe(image: _Float, model: Moments, *, patch: int) -> float:
    """Return the distance of an image from pristine ones (Eq. 10): lower is more like them.

    Parameters
    ----------
    image : ndarray (h, w)
        Grey values from 0 to 255.
    model : Moments
        From `pristine`, with the same `patch`.
    patch : int
        As of `patch_features`.

    Returns
    -------
    float
        At least 0; NaN of an image without two patches that have any contrast.

    Raises
    ------
    InputError
        As of `patch_features`.
    """
    features, _ = patch_features(image, patch=patch)
    if len(features) < 2:
        return float("nan")
    own = Moments.of(features)
    apart = own.mean - model.mean
    # Of a small image there are fewer patches than features: the pseudo-inverse, as in the authors' own code.
    inverse = np.linalg.pinv((own.covariance + model.covariance) / 2, hermitian=True)
    return max(float(apart @ inverse @ apart), 0.0) ** 0.5


def _statistics(patch: _Float) -> _Float:
    """Return the 18 numbers of a patch; NaN where it has no contrast."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if not ((patch > 0).any() and (patch < 0).any()):
            return np.full(18, np.nan)
        whole = fit_asymmetric(patch)
        found = [whole.shape, (whole.left + whole.right) / 2]
        for step in _STEPS:
            pairs = patch * np.roll(patch, step, axis=(0, 1))
            if not ((pairs > 0).any() and (pairs < 0).any()):
                return np.full(18, np.nan)
            one = fit_asymmetric(pairs)
            found += [one.shape, one.mean, one.left, one.right]
    return np.array(found)


def _cut(image: _Float, side: int) -> list[_Float]:
    height, width = image.shape
    return [image[y : y + side, x : x + side] for y in range(0, height, side) for x in range(0, width, side)]


def _blurred(image: _Float) -> _Float:
    return np.asarray(correlate1d(correlate1d(image, _WINDOW, 0, mode="nearest"), _WINDOW, 1, mode="nearest"))
