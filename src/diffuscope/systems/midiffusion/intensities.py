"""Intensities of MR, which have no unit: the range that a model's port declares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError

# Of what is brighter than the air: the brightest vessels and fat are left out of the scale.
_TOP = 99.5


def standardise(volume: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale a whole volume of MR so that air is near 0 and the brightest tissue near 1.

    The scale is the 99.5th percentile of the foreground, which is what exceeds half of the volume's mean above its
    darkest voxel. It must be taken of the whole volume: of a slice or a tile it would differ from the next one's.

    Parameters
    ----------
    volume : ndarray
        Any shape, real.

    Returns
    -------
    ndarray
        float32, ≥ 0; little exceeds 1.

    Raises
    ------
    InputError
        The volume is empty or of one value.
    """
    values = np.asarray(volume, np.float32)
    low = float(np.nanmin(values)) if values.size else 0.0
    shifted = np.nan_to_num(values - low)
    if not shifted.any():
        raise InputError("an MR volume of one intensity cannot be standardised: there is nothing in it.")
    foreground = shifted[shifted > 0.5 * shifted.mean()]
    return shifted / np.float32(np.percentile(foreground, _TOP))
