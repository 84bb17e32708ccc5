"""How near a picture comes to its truth, pixel by pixel or window by window.

Images are numpy arrays of any real type, (h, w) or (h, w, c); they are computed with in float64. SSIM, MS-SSIM and
mutual information of several channels are the mean over channels, each an image of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log10

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from diffuscope.errors import InputError

# Wang et al. 2004, §III.C: an 11 × 11 Gaussian of 1.5 px, and the two constants that keep the quotients finite.
_RADIUS, _SIGMA = 5, 1.5
_K1, _K2 = 0.01, 0.03
_WINDOW = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
_WINDOW /= _WINDOW.sum()

# Wang et al. 2003, §3.2: how much each scale counts, finest first, as calibrated on observers.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

Image = NDArray[np.generic]
_Float = NDArray[np.float64]


def mse(truth: Image, found: Image) -> float:
    """Mean squared error.

    Parameters
    ----------
    truth, found : ndarray
        Of one shape, any (a set of masked pixels, say); the order of the two does not matter.

    Returns
    -------
    float
        In squared units of the image.

    Raises
    ------
    InputError
        The shapes differ, or there is nothing to compare.
    """
    a, b = _pair(truth, found)
    return float(np.mean((a - b) ** 2))


def psnr(truth: Image, found: Image, *, data_range: float) -> float:
    """Peak signal-to-noise ratio, 10 log10(data_range² / MSE).

    Parameters
    ----------
    truth, found : ndarray
        As in `mse`.
    data_range : float
        Largest possible value less the smallest: 255 for 8-bit images.

    Returns
    -------
    float
        dB; infinite for equal images.
    """
    error = mse(truth, found)
    return 10.0 * log10(data_range**2 / error) if error > 0 else inf


def ssim(truth: Image, found: Image, *, data_range: float) -> float:
    """Structural similarity, Wang et al. 2004, eq. 13: mean over all 11 × 11 windows that lie inside.

    The windows' variances are the weighted ones of the paper, without a correction for the sample's size.

    Parameters
    ----------
    truth, found : ndarray of shape (h, w) or (h, w, c)
        Both sides at least 11 px.
    data_range : float
        As in `psnr`.

    Returns
    -------
    float
        In [−1, 1]; 1 for equal images.

    Raises
    ------
    InputError
        The shapes differ, are no image's, or are too small.
    """
    channels = _similar(truth, found, data_range, scales=1)
    return float(np.mean([np.mean(light * structure) for ((light, structure),) in channels]))


def ms_ssim(truth: Image, found: Image, *, data_range: float, scales: int = len(_SCALES)) -> float:
    """Multi-scale structural similarity, Wang et al. 2003, eq. 7.

    Between scales, images are averaged over 2 × 2 px (a last odd row or column is left out). A scale whose contrast and
    structure are negative on average counts as 0, where the paper's power has no real value.

    Parameters
    ----------
    truth, found : ndarray of shape (h, w) or (h, w, c)
        Both sides at least 176 px (11 at the coarsest of five scales).
    data_range : float
        As in `psnr`.
    scales : int
        The paper's five, or the finest of them, whose weights are then brought to a sum of 1: three go down to 44 px.
        Values of different numbers of scales cannot be compared.

    Returns
    -------
    float
        In [0, 1]; 1 for equal images.

    Raises
    ------
    InputError
        The shapes differ, are no image's, or are too small.
    """
    powers = [power / sum(_SCALES[:scales]) for power in _SCALES[:scales]] if scales < len(_SCALES) else _SCALES
    channels = []
    for *finer, (light, coarsest) in _similar(truth, found, data_range, scales=scales):
        means = [float(np.mean(structure)) for structure in (*(s for _, s in finer), light * coarsest)]
        channels.append(np.prod([max(mean, 0.0) ** power for mean, power in zip(means, powers, strict=True)]))
    return float(np.mean(channels))


def mutual_information(truth: Image, found: Image, *, bins: int = 64) -> float:
    """Mutual information of the two images' values, from their joint histogram (Viola & Wells 1997).

    Each image's own range, channel by channel, is cut into equal bins: brighter or stronger is no difference, and
    neither is inverted. Of images that have nothing in common it is not 0 but about (bins − 1)² / 2n for n px
    (Moddemeijer 1989): compare values of one size and one number of bins.

    Parameters
    ----------
    truth, found : ndarray of shape (h, w) or (h, w, c)
        The order of the two does not matter.
    bins : int
        Along each axis of the joint histogram.

    Returns
    -------
    float
        nats, in [0, ln bins].

    Raises
    ------
    InputError
        The shapes differ or are no image's.
    """
    values = []
    for a, b in _channels(truth, found):
        joint = np.histogram2d(a.ravel(), b.ravel(), bins=bins)[0] / a.size
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        seen = joint > 0
        values.append(np.sum(joint[seen] * np.log(joint[seen] / apart[seen])))
    return max(float(np.mean(values)), 0.0)


def _pair(truth: Image, found: Image) -> tuple[_Float, _Float]:
    a, b = np.asarray(truth, dtype=np.float64), np.asarray(found, dtype=np.float64)
    if a.shape != b.shape or not a.size:
        raise InputError(f"images of shapes {a.shape} and {b.shape} cannot be compared: give two of one shape.")
    return a, b


def _channels(truth: Image, found: Image) -> Iterator[tuple[_Float, _Float]]:
    """Yield channel after channel of both, (h, w)."""
    a, b = _pair(truth, found)
    if a.ndim not in {2, 3}:
        raise InputError(f"an array of shape {a.shape} is no image (h, w) or (h, w, c).")
    yield from zip(np.moveaxis(np.atleast_3d(a), -1, 0), np.moveaxis(np.atleast_3d(b), -1, 0), strict=True)


def _similar(truth: Image, found: Image, data_range: float, *, scales: int) -> Iterator[list[tuple[_Float, _Float]]]:
    """Yield per channel, for every scale, finest first, the maps of luminance and of contrast times structure."""
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    smallest = len(_WINDOW) * 2 ** (scales - 1)
    for a, b in _channels(truth, found):
        if min(a.shape) < smallest:
            raise InputError(f"images of {a.shape} px are too small for this measure: it needs {smallest} px a side.")
        maps = []
        for scale in range(scales):
            if scale:
                a, b = _halved(a), _halved(b)
            mean_a, mean_b = _blurred(a), _blurred(b)
            variances = _blurred(a * a) - mean_a**2 + _blurred(b * b) - mean_b**2
            covariance = _blurred(a * b) - mean_a * mean_b
            light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            maps.append((light, (2 * covariance + c2) / (variances + c2)))
        yield maps


def _blurred(image: _Float) -> _Float:
    """Weighted means of the windows that lie wholly inside."""
    rows = correlate1d(image, _WINDOW, axis=0)[_RADIUS:-_RADIUS]
    return np.asarray(correlate1d(rows, _WINDOW, axis=1)[:, _RADIUS:-_RADIUS])


def _halved(image: _Float) -> _Float:
    height, width = (2 * (side // 2) for side in image.shape)
    return np.asarray(image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)))
