"""Colour deconvolution: from the colours of a bright-field image to the density of each stain.

Ruifrok & Johnston 2001: light through a stained section obeys Lambert-Beer, so the optical densities of
the stains add, and the densities of three known stains are a 3×3 linear system away.
Densities here are in base-10 OD units of the stain's unit vector, so that they can be compared
between slides and summed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Ruifrok & Johnston 2001, table 1: OD of red, green, blue for each stain.
_HAEMATOXYLIN = (0.65, 0.70, 0.29)
_EOSIN = (0.07, 0.99, 0.11)
_DAB = (0.27, 0.57, 0.78)


def stain_matrix(first: ArrayLike, second: ArrayLike, third: ArrayLike | None = None) -> NDArray[np.float64]:
    """Rows of unit stain vectors; a missing third row is the residual, orthogonal to the others.

    Parameters
    ----------
    first, second, third : array_like of shape (3,)
        OD of red, green and blue of one stain; any length above zero.

    Returns
    -------
    ndarray of shape (3, 3)
        Unit rows.
    """
    rows = [np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)]
    rows.append(np.cross(rows[0], rows[1]) if third is None else np.asarray(third, dtype=np.float64))
    return np.stack([row / np.linalg.norm(row) for row in rows])


HED = stain_matrix(_HAEMATOXYLIN, _EOSIN, _DAB)
"""Haematoxylin, eosin, DAB."""

HDAB = stain_matrix(_HAEMATOXYLIN, _DAB)
"""Haematoxylin, DAB, residual: for IHC, which holds no eosin."""

HE = stain_matrix(_HAEMATOXYLIN, _EOSIN)
"""Haematoxylin, eosin, residual: for H&E."""


def optical_density(rgb: NDArray[np.generic]) -> NDArray[np.float32]:
    """Optical density of an 8-bit image, −log10((v + 1) / 256).

    The + 1 keeps black finite (2.41 OD) and makes white exactly 0.

    Parameters
    ----------
    rgb : ndarray
        Values in [0, 255], any shape, uint8 or float.

    Returns
    -------
    ndarray
        float32, same shape, in [0, 2.41].
    """
    values = np.asarray(rgb)
    return _OF_BYTES[values] if values.dtype == np.uint8 else _density(values)


def _density(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(-np.log10((values.astype(np.float32) + 1.0) / 256.0), dtype=np.float32)


# Looked up, three times as fast as computed.
_OF_BYTES = _density(np.arange(256))


def separate(rgb: NDArray[np.generic], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Stain densities of an RGB image (Ruifrok & Johnston 2001).

    Parameters
    ----------
    rgb : ndarray of shape (..., 3)
        Values in [0, 255].
    matrix : ndarray of shape (3, 3)
        Unit rows, e.g. `HED` or `HDAB`.

    Returns
    -------
    ndarray of shape (..., 3)
        float32 OD of each row's stain; negative where the colour is no mixture of the stains.
    """
    return np.asarray(optical_density(rgb) @ np.linalg.inv(matrix).astype(np.float32), dtype=np.float32)


def combine(densities: NDArray[np.generic], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Image that has the given stain densities: the inverse of `separate`, rounded to 8 bits.

    Parameters
    ----------
    densities : ndarray of shape (..., 3)
        OD of each row's stain.
    matrix : ndarray of shape (3, 3)
        Unit rows.

    Returns
    -------
    ndarray of shape (..., 3)
        uint8, clipped to [0, 255].
    """
    density = np.asarray(densities, dtype=np.float32) @ matrix.astype(np.float32)
    return np.clip(np.rint(256.0 * 10.0**-density - 1.0), 0, 255).astype(np.uint8)


def dab_density(rgb: NDArray[np.generic]) -> NDArray[np.float32]:
    """DAB optical density of an IHC image, negative values set to 0.

    DAB does not obey Lambert-Beer strictly: the value ranks and compares, it does not weigh antigen.

    Parameters
    ----------
    rgb : ndarray of shape (..., 3)
        Values in [0, 255].

    Returns
    -------
    ndarray of shape (...)
        float32 OD ≥ 0.
    """
    return np.maximum(separate(rgb, HDAB)[..., 1], 0.0)
