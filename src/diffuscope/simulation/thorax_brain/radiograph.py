"""The radiograph: what the volume takes from parallel rays from front to back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.shapes import DEPTH

#: Attenuation of water at 60 keV, 1/mm (NIST: 0.2059 cm²/g).
WATER = 0.02059
#: Line integral that is white, 1.
WHITE = 4.5


def project(hu: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return line integrals of attenuation along the depth: ∫ μ dz, where μ = μ_water (1 + HU/1000).

    Parameters
    ----------
    hu : ndarray of shape (d, h, w)
        HU, planes of `DEPTH` mm.

    Returns
    -------
    ndarray of shape (h, w)
        Without unit, float64.
    """
    return WATER * DEPTH * (1 + np.asarray(hu, np.float64).mean(axis=0) / 1000) * len(hu)


def expose(integrals: NDArray[np.floating], photons: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a radiograph: photons are counted, and the logarithm of those that are missing is shown.

    Parameters
    ----------
    integrals : ndarray of shape (h, w)
        As of `project`.
    photons : float
        That reach a pixel with nothing in the way.
    rng : Generator
        Consumed.

    Returns
    -------
    ndarray of shape (h, w)
        float64; 0 where nothing is in the way, 1 from `WHITE` on.
    """
    counted = rng.poisson(photons * np.exp(-integrals))
    return np.clip(np.log(photons / np.maximum(counted, 1)) / WHITE, 0.0, 1.0)
