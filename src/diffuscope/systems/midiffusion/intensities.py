"""Intensities of MR, which have no unit: the range that a model's port declares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError

# Percentiles. A scan that was resampled has some voxels far below the air; the brightest vessels and fat are few too.
_AIR, _TOP = 1.0, 99.5


def standardise(volume: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale a whole volume of MR so that air is near 0 and the brightest tissue near 1.

    Air is the volume's 1st percentile, and 1 the 99.5th of the foreground, which is what exceeds half of the volume's
    mean above the air. Both must be taken of the whole volume: of a slice or a tile they would
    differ from the next one's.

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
    air = float(np.nanpercentile(values, _AIR)) if values.size else 0.0
    shifted = np.nan_to_num(values - air).clip(min=0.0)
    if not shifted.any():
        raise InputError("an MR volume of one intensity cannot be standardised: there is nothing in it.")
    foreground = shifted[shifted > 0.5 * shifted.mean()]
    return shifted / np.float32(np.percentile(foreground, _TOP))
