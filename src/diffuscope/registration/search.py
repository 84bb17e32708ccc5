"""Where to begin: the rotation, side and place in which two slides correlate best, whatever way they were put in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from diffuscope.registration.density import Density
from diffuscope.registration.transform import Transform

# A slide may lie in the scanner any way round; what is off by half a step, the affine stage finds.
STEP_DEGREES = 5.0
# Nuclei blur into a cloud that still correlates when it is turned by half a step.
_BLUR = 2.0


@dataclass(frozen=True)
class Start:
    """The best placing found.

    Attributes
    ----------
    transform : Transform
        A rotation, mirrored or not, and a shift.
    correlation : float
        Of the two densities so placed, in [-1, 1].
    """

    transform: Transform
    correlation: float


def find_start(fixed: Density, moving: Density) -> Start:
    """Try every rotation in steps of 5°, both sides up, at every shift.

    All shifts of one rotation are tried at once by a Fourier transform, which needs no moments and so does not
    mind if one slide shows less tissue than the other.

    Parameters
    ----------
    fixed, moving : Density
        At one µm/px, about 200 px a side.

    Returns
    -------
    Start
    """
    still, turned = _contrast(fixed), _contrast(moving)
    side = math.ceil(math.hypot(*turned.shape)) + 1
    shape = tuple(fft.next_fast_len(n + side, real=True) for n in still.shape)
    spectrum = fft.rfft2(still, shape)
    norm = float(np.linalg.norm(still)) * float(np.linalg.norm(turned))
    best = Start(Transform(np.eye(2), np.zeros(2)), -1.0)
    middle, centre = np.array(turned.shape) / 2, np.full(2, side / 2)
    for mirrored in (False, True):
        for angle in np.arange(0.0, 360.0, STEP_DEGREES):
            matrix = _turn(angle, mirrored=mirrored)  # in (y, x): from the turned frame to the moving slide
            offset = middle - matrix @ centre
            # Pixel centres lie at half a pixel.
            half = offset + matrix @ (0.5, 0.5) - 0.5
            image = ndimage.affine_transform(turned, matrix, half, output_shape=(side, side), order=1)
            match = fft.irfft2(spectrum * np.conj(fft.rfft2(image, shape)), shape)
            peak = np.unravel_index(int(match.argmax()), match.shape)
            score = float(match[peak]) / norm
            if score > best.correlation:
                # A shift beyond the fixed slide's end is a negative one, come round.
                shift = [p - n if p >= still.shape[i] else p for i, (p, n) in enumerate(zip(peak, shape, strict=True))]
                place = offset - matrix @ shift
                best = Start(Transform(matrix[::-1, ::-1].copy(), place[::-1] * fixed.mpp), score)
    return best


def _contrast(density: Density) -> NDArray[np.float64]:
    """Blurred density less its mean, so that two slides that are all tissue correlate by their texture."""
    blurred = ndimage.gaussian_filter(density.values.astype(np.float64), _BLUR)
    return blurred - blurred.mean()


def _turn(degrees: float, *, mirrored: bool) -> NDArray[np.float64]:
    """Rotation matrix in (y, x), of x mirrored or not."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([1.0, -1.0 if mirrored else 1.0])
