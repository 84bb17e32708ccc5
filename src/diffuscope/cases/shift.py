"""How far two pictures of one field lie apart, by phase correlation of what both show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.stains import HED, separate

# Steps of a px in which a shift is found.
_UPSAMPLE = 10
# Nuclei in two stains have one outline, not one texture: what is finer is left out, px.
_BLUR = 1.0


@dataclass(frozen=True)
class Shift:
    """Where the second picture lies.

    Attributes
    ----------
    y, x : float
        By how many px it must move to lie on the first.
    before, after : float
        Correlation of the two as they lie and, where they overlap, when it is moved.
    """

    y: float
    x: float
    before: float
    after: float

    @property
    def length(self) -> float:
        """Distance, px."""
        return float(np.hypot(self.y, self.x))


def structure(picture: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return what two stains of one field have in common: the haematoxylin of a colour picture, else its values.

    Parameters
    ----------
    picture : ndarray of shape (h, w, c)
        8-bit RGB, or any other image.

    Returns
    -------
    ndarray of shape (h, w)
        float64.
    """
    if picture.shape[2] == 3 and picture.dtype == np.uint8:
        return np.asarray(separate(picture, HED)[..., 0], dtype=np.float64)
    return np.asarray(picture.mean(axis=2, dtype=np.float64))


def find_shift(first: NDArray[np.floating], second: NDArray[np.floating]) -> Shift | None:
    """Find the shift between two images of one shape (Kuglin & Hines 1975; to a part of a px, Guizar-Sicairos 2008).

    Parameters
    ----------
    first, second : ndarray of shape (h, w)
        As `structure` returns them.

    Returns
    -------
    Shift or None
        None where one of them shows nothing.
    """
    a, b = (ndimage.gaussian_filter(np.asarray(image, dtype=np.float64), _BLUR) for image in (first, second))
    if min(a.std(), b.std()) < 1e-6:
        return None
    # Here, where pictures are compared: the window brings in all of scipy's signals, which takes a second.
    from skimage.filters import window
    from skimage.registration import phase_cross_correlation

    # Without a window the frame itself is what matches best.
    taper = window("hann", a.shape)
    y, x = phase_cross_correlation(
        (a - a.mean()) * taper, (b - b.mean()) * taper, upsample_factor=_UPSAMPLE, normalization="phase"
    )[0]
    return Shift(float(y), float(x), _correlation(a, b, 0, 0), _correlation(a, b, round(y), round(x)))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64], y: int, x: int) -> float:
    """Correlate where both are when b is moved by whole px."""
    here = tuple(slice(max(by, 0), side + min(by, 0)) for by, side in zip((y, x), a.shape, strict=True))
    there = tuple(slice(max(-by, 0), side + min(-by, 0)) for by, side in zip((y, x), a.shape, strict=True))
    one, other = a[here].ravel(), b[there].ravel()
    if one.size < 2 or min(one.std(), other.std()) < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
