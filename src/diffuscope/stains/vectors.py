"""Stain vectors of a slide: which colours its haematoxylin and its eosin have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.stains.deconvolution import optical_density, stain_matrix

REFERENCE = stain_matrix((0.65, 0.70, 0.29), (0.15, 0.87, 0.47))
"""Haematoxylin, eosin, residual: where vectors are drawn to that lie too close, and what slides are normalised to."""

#: Vectors of one slide lie at least so far apart, degrees. Published pairs lie 22° (Macenko 2009) to 40° (Ruifrok 2001)
#: apart; what lies closer divides by nearly nothing, and eosin's noise becomes nuclei.
APART = 25.0

# Optical densities that count as stained: no channel next to white, some colour in all, and not black, for no mixture
# of haematoxylin and eosin keeps red and blue from passing alike (black borders of tiles, ink, pigment).
_CHANNEL, _SUM, _BLACK = 0.03, 0.3, 0.9
_EVERY = 7
_PERCENTILES = (1, 99)


def is_black(density: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether pixels of optical density (..., 3) are darker than any stain: borders of tiles, ink, pigment."""
    return np.asarray(_least(density) >= _BLACK)


def is_stained(density: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether pixels of optical density (..., 3) hold stain, and not glass."""
    red, green, blue = np.moveaxis(density, -1, 0)
    return np.asarray((_least(density) > _CHANNEL) & (red + green + blue > _SUM)) & ~is_black(density)


def _least(density: NDArray[np.floating]) -> NDArray[np.floating]:
    # Plane by plane: over an axis of three, numpy's own takes ten times as long.
    red, green, blue = np.moveaxis(density, -1, 0)
    return np.minimum(np.minimum(red, green), blue)


def estimate_stains(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Haematoxylin, eosin and residual vectors of a slide (Macenko et al. 2009), kept apart.

    Macenko's two stains are the 1st and 99th percentile of the angle in the plane of the two main directions of
    optical density. Slides differ too much for one fixed matrix: on an eosin-rich slide the textbook vectors leave
    almost no haematoxylin contrast. But where haematoxylin is faint or everywhere the two percentiles come out 14° to
    21° apart. Then both are turned, on the slide's own plane and by one share of the way, towards those of `REFERENCE`,
    until `APART` lies between them. A slide whose plane does not hold two stains (an image of one stain) gets
    `REFERENCE` itself.

    Parameters
    ----------
    rgb : ndarray of shape (..., 3)
        uint8 H&E, all of a slide or windows of it.

    Returns
    -------
    ndarray of shape (3, 3)
        Unit rows.

    Raises
    ------
    ValueError
        No pixel is stained.
    """
    every = optical_density(rgb).reshape(-1, 3)
    density = every[is_stained(every)][::_EVERY].astype(np.float64)
    if len(density) < 3:
        raise ValueError("no pixel is stained: there are no stain vectors to find")
    plane = np.linalg.eigh(np.cov(density.T))[1][:, 1:]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    found = np.percentile(_angles(density, plane), _PERCENTILES)
    # Haematoxylin absorbs more red, relative to its length, than eosin.
    pair = np.array(sorted(found, key=lambda angle: -_vectors(np.array([angle]), plane)[0, 0]))
    prior = _angles(REFERENCE[:2], plane)
    between, wanted = pair[0] - pair[1], prior[0] - prior[1]
    least = np.deg2rad(APART)
    if abs(between) < least:
        if np.sign(wanted) != np.sign(between) or abs(wanted) < least:
            return REFERENCE
        share = (least - abs(between)) / (abs(wanted) - abs(between))
        pair = (1.0 - share) * pair + share * prior
    return stain_matrix(*_vectors(pair, plane))


def _angles(vectors: NDArray[np.float64], plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle in a plane (3, 2) of vectors (n, 3), from its main direction, radians."""
    return np.asarray(np.arctan2(vectors @ plane[:, 0], vectors @ plane[:, 1]))


def _vectors(angles: NDArray[np.float64], plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors (n, 3) at angles in a plane; no stain gives light, so that nothing is below 0."""
    vectors = np.maximum(np.stack([np.sin(angles), np.cos(angles)], axis=-1) @ plane.T, 0.0)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
