"""How large the dark spots of a stained section are, most of which are nuclei: it tells a µm/px that is wrong.

Lindeberg 1998: a blob answers strongest where the scale of the Laplacian is its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.stains.deconvolution import HE, separate

#: Diameters of spots that are told apart, µm: from what no nucleus is to what none is.
DIAMETERS = np.geomspace(1.2, 36.0, 14)
_RATIO = DIAMETERS[1] / DIAMETERS[0]
# A blob of diameter d answers strongest to the Laplacian of sigma d / 2√2.
_SIGMAS = DIAMETERS / (2.0 * np.sqrt(2.0))
# Where a Gaussian is cut off, sigmas: spots are told apart by thirds.
_CUT = 3.0


def spot_profile(rgb: NDArray[np.generic], inside: NDArray[np.bool_], mpp: float) -> NDArray[np.float64]:
    """Return how much of the haematoxylin of a window are spots of each of `DIAMETERS`; their sum is 1.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3)
        Values in [0, 255].
    inside : ndarray of bool, shape (h, w)
        Where stained tissue is; somewhere at least.
    mpp : float
        µm per px.
    """
    level = np.maximum(separate(rgb, HE)[..., 0], 0.0)
    sigma, power = 0.0, []
    # Differences of Gaussians, each of the one before: their ratio is that of the diameters.
    for wanted in [*(_SIGMAS / np.sqrt(_RATIO)), _SIGMAS[-1] * np.sqrt(_RATIO)]:
        blurred = ndimage.gaussian_filter(level, np.sqrt(wanted**2 - sigma**2) / mpp, truncate=_CUT)
        if sigma:
            power.append(float((np.maximum(level - blurred, 0.0)[inside] ** 2).mean()))
        level, sigma = blurred, wanted
    return np.asarray(power) / max(sum(power), 1e-12)


def spot_size(profiles: Sequence[NDArray[np.float64]]) -> float:
    """Return the diameter of which most spots are, µm, of the windows of an image together.

    Between two of `DIAMETERS` by the parabola through the logarithms of its neighbours.
    """
    power = np.sum(profiles, axis=0)
    at = int(np.argmax(power))
    if 0 < at < len(power) - 1:
        before, here, after = np.log(np.maximum(power[at - 1 : at + 2], 1e-12))
        bend = before - 2.0 * here + after
        return float(DIAMETERS[at] * _RATIO ** (0.5 * (before - after) / bend if bend else 0.0))
    return float(DIAMETERS[at])
