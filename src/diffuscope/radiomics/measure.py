"""The verb of this room: numbers of a region of a CT, by the tags of IBSI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.radiomics.by_mirp import check_mirp, compute
from diffuscope.radiomics.region import open_region
from diffuscope.radiomics.settings import RadiomicsSettings


def measure(
    image: NDArray[np.generic], mask: NDArray[np.bool_], spacing: Sequence[float], settings: RadiomicsSettings
) -> dict[str, float]:
    """Measure a region of a CT.

    Parameters
    ----------
    image : ndarray (d, h, w)
        HU.
    mask : ndarray of bool (d, h, w)
        The region.
    spacing : sequence of float
        (z, y, x) mm.
    settings : RadiomicsSettings
        How.

    Returns
    -------
    dict of str to float
        By tag, in the order of the settings; NaN where a feature is not defined: of a region smaller than two voxels
        of the lattice on which it is measured, of one without tissue in the range, where a formula divides by zero.

    Raises
    ------
    InputError
        Image and mask differ in shape, the spacing is not known, the mask is empty, the CT has no value there, or mirp
        is not installed.
    """
    check_mirp()
    region = open_region(image, mask, spacing, settings)
    if region.shape.sum() < 2:
        return dict.fromkeys(settings.features, np.nan)
    return compute(region, settings)
