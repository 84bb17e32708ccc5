"""Traits of a window of a stained section: its colours as optical density, how fine it is, and its nuclei."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.stains.deconvolution import HE, optical_density, separate

# Mean optical density that counts as stained, and least chroma that has a hue (of DAB: that is not a faint rim).
_STAINED, _CHROMA, _STRONG = 0.08, 0.05, 0.1
# Hue, degrees in the plane across grey: haematoxylin lies at 66, eosin at 122, both mixed at 60 to 160, DAB at 204.
# Hues are told from half a turn before this to half a turn behind it, so that stains are never torn apart.
_MIDDLE = 95.0
_BROWN = (170.0, 275.0)
# µm: what is finer is detail; what is wider than a nucleus is background.
_FINE, _WIDE = 1.0, 12.0
# A nucleus is a spot of haematoxylin that is darker than its surround by this OD: sigmas, µm.
_SPOT, _SURROUND, _CONTRAST = 2.2, 3.5, 0.02
# Least part of a window that is stained.
_LEAST = 0.02


def colour_traits(rgb: NDArray[np.generic], inside: NDArray[np.bool_], mpp: float) -> dict[str, float]:
    """Return the traits of a window by key (`diffuscope.ports.seen.COLOUR`).

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3)
        Values in [0, 255].
    inside : ndarray of bool, shape (h, w)
        Where tissue is.
    mpp : float
        µm per px.

    Returns
    -------
    dict of str to float
        Empty where hardly anything is stained.
    """
    density = optical_density(rgb)
    mean = density.mean(axis=-1)
    stained = stained_in(rgb, inside)
    if stained.sum() < _LEAST * stained.size:
        return {}
    hue, chroma = _hue(density)
    coloured = stained & (chroma > _CHROMA)
    if not coloured.any():
        return {}
    low, high = _BROWN
    coarse = mean - ndimage.gaussian_filter(mean, _WIDE / mpp)
    fine = mean - ndimage.gaussian_filter(mean, _FINE / mpp)
    return {
        "hue": float(np.median(hue[coloured])),
        "brown": 100.0 * float((stained & (hue > low) & (hue < high) & (chroma > _STRONG)).sum() / stained.sum()),
        "density": float(np.median(mean[stained])),
        "fine": 100.0 * float(fine[stained].var() / max(coarse[stained].var(), 1e-9)),
        "nuclei": float((_spots(rgb, mpp) & stained).sum() / (stained.sum() * mpp**2 * 1e-6)),
    }


def stained_in(rgb: NDArray[np.generic], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which px of a window's tissue are stained."""
    return inside & (optical_density(rgb).mean(axis=-1) > _STAINED)


def _hue(density: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return hue, degrees, and chroma, OD, of optical densities (h, w, 3)."""
    red, green, blue = np.moveaxis(density, -1, 0)
    along, across = (2 * red - green - blue) / np.sqrt(6), (green - blue) / np.sqrt(2)
    turned = np.rad2deg(np.arctan2(across, along)) - _MIDDLE
    return (turned + 180.0) % 360.0 - 180.0 + _MIDDLE, np.hypot(along, across)


def _spots(rgb: NDArray[np.generic], mpp: float) -> NDArray[np.bool_]:
    """Return one px a dark spot of the size of a nucleus."""
    blue = np.maximum(separate(rgb, HE)[..., 0], 0.0)
    spots = ndimage.gaussian_filter(blue, _SPOT / mpp) - ndimage.gaussian_filter(blue, _SURROUND / mpp)
    side = 2 * round(_SPOT / mpp) + 1
    return np.asarray((spots == ndimage.maximum_filter(spots, side)) & (spots > _CONTRAST))
