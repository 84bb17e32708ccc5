"""MRI: what tissues give by the equations of spin echo and inversion recovery, and what a scanner makes of it.

Equations are those of Haacke et al., Magnetic Resonance Imaging: Physical Principles and Sequence Design, for an echo
time that is short beside the repetition time. Times are in ms; relaxivities, of a gadolinium chelate in plasma at 1.5 T
(Rohrer et al., Invest Radiol 40:715, 2005), in 1/(mmol/l · s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.tissues import NAMES, Tissue

R1, R2 = 4.5, 5.5
#: Of the fluid that FLAIR is to blacken.
_FLUID_T1 = 2569.0


@dataclass(frozen=True)
class Sequence:
    """A sequence.

    Attributes
    ----------
    tr, te : float
        Repetition and echo time, ms.
    ti : float
        Inversion time, ms; 0 without inversion.
    enhanced : bool
        Whether it is taken after contrast agent.
    gain : float
        Of the receiver: brings the brightest tissue near 0.9.
    """

    tr: float
    te: float
    ti: float = 0.0
    enhanced: bool = False
    gain: float = 1.0


def null(t1: float, tr: float) -> float:
    """Return the inversion time at which a tissue gives no signal: T1 ln(2 / (1 + exp(−TR/T1))), ms."""
    return t1 * float(np.log(2 / (1 + np.exp(-tr / t1))))


SEQUENCES = {
    "t1": Sequence(500.0, 10.0, gain=1.35),
    "t2": Sequence(4000.0, 90.0, gain=1.4),
    "pd": Sequence(3000.0, 15.0, gain=1.1),
    "flair": Sequence(9000.0, 100.0, null(_FLUID_T1, 9000.0), gain=3.2),
    "t1ce": Sequence(500.0, 10.0, enhanced=True, gain=1.15),
}


def signal(tissue: Tissue, sequence: Sequence) -> float:
    """Return the signal of a tissue, 1 is that of water fully relaxed, without the receiver's gain.

    Spin echo: ρ (1 − exp(−TR/T1)) exp(−TE/T2). With inversion: ρ |1 − 2 exp(−TI/T1) + exp(−TR/T1)| exp(−TE/T2).
    Contrast agent: 1/T1' = 1/T1 + r1 C, 1/T2' = 1/T2 + r2 C.
    """
    concentration = tissue.uptake if sequence.enhanced else 0.0
    t1 = 1 / (1 / tissue.t1 + R1 * concentration / 1000)
    t2 = 1 / (1 / tissue.t2 + R2 * concentration / 1000)
    recovered = 1 - np.exp(-sequence.tr / t1)
    if sequence.ti:
        recovered = abs(1 - 2 * np.exp(-sequence.ti / t1) + np.exp(-sequence.tr / t1))
    return float(tissue.density * recovered * np.exp(-sequence.te / t2))


def contrast(parts: NDArray[np.floating], tissues: dict[str, Tissue], sequence: Sequence) -> NDArray[np.float64]:
    """Return an image without noise: the signals of what each voxel holds, by its share.

    Parameters
    ----------
    parts : ndarray of shape (tissues, h, w)
        Shares, by the order of `NAMES`.
    tissues : dict of Tissue
        By name.
    sequence : Sequence
        See there.

    Returns
    -------
    ndarray of shape (h, w)
        float64.
    """
    signals = np.array([signal(tissues[name], sequence) for name in NAMES])
    return sequence.gain * np.tensordot(signals, parts, axes=1)


def receive(clean: NDArray[np.floating], noise: float, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Return an image as a coil receives it: complex, with normal noise of that standard deviation in either part."""
    disturbed = rng.standard_normal((2, *clean.shape)) * noise
    return clean + disturbed[0] + 1j * disturbed[1]


def lines(count: int, rng: np.random.Generator, *, factor: int = 4, centre: int = 8) -> NDArray[np.bool_]:
    """Draw the lines of k-space that an accelerated scan takes: those in the centre, and others at random.

    Parameters
    ----------
    count : int
        Lines in all; the zero frequency is line `count` // 2.
    rng : Generator
        Consumed.
    factor : int
        Every how manieth is taken.
    centre : int
        Taken in any case.

    Returns
    -------
    ndarray of shape (count,)
        bool; `count` // `factor` are true.
    """
    taken = np.zeros(count, np.bool_)
    start = count // 2 - centre // 2
    taken[start : start + centre] = True
    taken[rng.choice(np.flatnonzero(~taken), count // factor - centre, replace=False)] = True
    return taken


def undersample(image: NDArray[np.complexfloating], taken: NDArray[np.bool_]) -> NDArray[np.complex128]:
    """Return an image from only some lines (rows) of its k-space, zeros for the others.

    Parameters
    ----------
    image : ndarray of shape (h, w)
        Complex.
    taken : ndarray of shape (h,)
        Lines that are kept; the zero frequency is line h // 2.

    Returns
    -------
    ndarray of shape (h, w)
        complex128.
    """
    # Rows alone are left out, so that only they need be transformed.
    spectrum = np.fft.fft(image, axis=0) * np.fft.ifftshift(taken)[:, None]
    return np.fft.ifft(spectrum, axis=0)
