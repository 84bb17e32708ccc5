"""What a slide scanner makes of a fluorescent section: blur, haze, background, shot and read noise, 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Highest count.
FULL = 255


@dataclass(frozen=True, kw_only=True)
class Channel:
    """How one channel is recorded.

    Attributes
    ----------
    psf : float
        Standard deviation of the point spread, µm: 0.7 is a lens of numerical aperture 0.4 at 600 nm with some defocus.
    haze : float
        Part of the light that comes from out of focus.
    haze_width : float
        Standard deviation of that, µm.
    scale : float
        Counts of a signal of 1.
    background : float
        Counts where there is nothing.
    electrons : float
        Per count, for shot noise.
    read_noise : float
        Standard deviation, counts.
    """

    psf: float = 0.7
    haze: float = 0.1
    haze_width: float = 12.0
    scale: float = 125.0
    background: float = 8.0
    electrons: float = 32.0
    read_noise: float = 0.4


CD31 = Channel(scale=150.0, background=9.0)
DAPI = Channel(scale=125.0)
#: A signal of 1 is the plasma's concentration at injection. Exposure is the same for all animals: loads are compared.
NANOPARTICLES = Channel(scale=500.0, background=3.0, haze=0.05)


def record(
    signal: NDArray[np.floating], channel: Channel, rng: np.random.Generator, *, gain: float = 1.0
) -> NDArray[np.uint8]:
    """Record a signal, one pixel a µm.

    Parameters
    ----------
    signal : ndarray of shape (h, w)
        At least 0.
    channel : Channel
        See there.
    rng : Generator
        Consumed.
    gain : float
        Of the stain.

    Returns
    -------
    ndarray of shape (h, w)
        uint8, 0–`FULL`.
    """
    light = blur(signal, channel)
    counts = np.clip(channel.background + channel.scale * gain * light, 0.0, None)
    seen = rng.poisson(counts * channel.electrons) / channel.electrons
    noisy = seen + rng.normal(0.0, channel.read_noise, counts.shape)
    return np.clip(np.rint(noisy), 0, FULL).astype(np.uint8)


def blur(signal: NDArray[np.floating], channel: Channel) -> NDArray[np.float64]:
    """Return a signal after the optics: in focus and out of it; its sum stays."""
    signal = np.asarray(signal, dtype=np.float64)
    sharp = ndimage.gaussian_filter(signal, channel.psf, mode="reflect")
    return (1 - channel.haze) * sharp + channel.haze * ndimage.gaussian_filter(
        signal, channel.haze_width, mode="reflect"
    )
