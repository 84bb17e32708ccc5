"""A drawn H&E: known densities of two stains in known vectors, for what is to be found again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.stains.deconvolution import combine, stain_matrix


def apart(degrees: float) -> NDArray[np.float64]:
    """Haematoxylin, eosin and residual vectors at an angle, in one plane; up to 42° both absorb some of each colour."""
    first = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
    towards = np.array([0.2, 0.65, 0.73])
    across = towards - (towards @ first) * first
    across /= np.linalg.norm(across)
    return stain_matrix(first, np.cos(np.deg2rad(degrees)) * first + np.sin(np.deg2rad(degrees)) * across)


def angle(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Degrees between two vectors."""
    return float(np.rad2deg(np.arccos(np.clip(one @ other / np.linalg.norm(one) / np.linalg.norm(other), -1, 1))))


def densities(side: int = 256) -> NDArray[np.float64]:
    """Haematoxylin, eosin and nothing else, OD, (side, side, 3): nuclei of 7 µm at 0.5 µm/px in eosin of 0.25 to 0.6.

    Some of the nuclei hold no eosin and what lies between them no haematoxylin: both stains are there unmixed.
    """
    rng = np.random.default_rng(0)
    y, x = np.indices((side, side))
    found = np.zeros((side, side, 3))
    found[..., 1] = rng.uniform(0.25, 0.6, (side, side))
    for number, (row, column) in enumerate(rng.uniform(10, side - 10, (60, 2))):
        inside = (y - row) ** 2 + (x - column) ** 2 < 7**2
        found[inside, 0] = rng.uniform(0.45, 0.7, inside.sum())
        found[inside, 1] *= number % 2
    return found


def draw(
    densities: NDArray[np.float64], vectors: NDArray[np.float64], haematoxylin: float = 1.0, eosin: float = 1.0
) -> NDArray[np.uint8]:
    """Return the picture of densities in vectors, each stain so many times as strong."""
    return combine(densities * [haematoxylin, eosin, 1.0], vectors)
