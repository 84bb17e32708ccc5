"""Where crops of a case may lie: those of which enough is tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.opened import OpenCase
from diffuscope.scans import Foreground, tissue_mask


def tissue_corners(
    opened: OpenCase, side: int, *, key: str = "he", least: float = 0.5, tissue: Foreground | None = None
) -> NDArray[np.int64]:
    """Find the crops of which at least a given part is tissue.

    Corners are looked for on a lattice as fine as the tissue mask, and at the far edges; none reaches beyond the case.

    Parameters
    ----------
    opened : OpenCase
        From `open_case`.
    side : int
        Of a crop, px at the model's µm/px.
    key : str
        The picture whose tissue counts; of one that is not RGB everything is tissue.
    least : float
        Part of a crop that must be tissue, 0–1.
    tissue : Foreground, optional
        Of that picture, where it is known already.

    Returns
    -------
    ndarray of shape (n, 2)
        (y, x) of the corners, row by row; empty where the case is smaller than a crop or has too little tissue.
    """
    scan, factor = opened.scans[key], opened.factors[key]
    height, width = (extent - side for extent in opened.shape)
    if min(height, width) < 0:
        return np.empty((0, 2), dtype=np.int64)
    tissue = tissue or tissue_mask(scan)
    step = max(round(tissue.downsample / factor), 1)
    ys, xs = (np.unique([*range(0, last, step), last]) for last in (height, width))
    part = tissue.fractions_in(ys * factor, xs * factor, side * factor, side * factor)
    # A window on the edge of the slide may reach over by rounding.
    rows, columns = np.nonzero(part >= least - 1e-6)
    return np.stack([ys[rows], xs[columns]], axis=1)
