"""What is matched: the haematoxylin density of a slide at any µm/px, and where its tissue is.

A restained slide shows other colours but the same nuclei, and haematoxylin stains them in H&E and in IHC alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans import Foreground, Scan, read_region, tissue_mask
from diffuscope.stains import HED, separate

# Rows read at once: a whole level in colour and float64 would take ten times what its density takes.
_STRIP = 512
# The darkest pixels are folds and dirt; they would take up the histogram of mutual information.
_BRIGHTEST = 99.5


@dataclass(frozen=True, eq=False)
class Density:
    """Haematoxylin of a whole slide at one resolution.

    Attributes
    ----------
    values : ndarray of shape (h, w)
        float32 OD ≥ 0; its first pixel starts at the slide's origin.
    tissue : ndarray of shape (h, w)
        bool.
    mpp : float
        µm per pixel.
    """

    values: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    mpp: float


def check_slide(scan: Scan) -> None:
    """Refuse a slide that cannot be registered whatever it shows.

    Raises
    ------
    InputError
        It is no 8-bit RGB image, or its µm/px is not known.
    """
    if not scan.rgb or scan.dtype != np.uint8:
        raise InputError(f"{scan.name} is no 8-bit RGB image: register bright-field slides, as the scanner wrote them.")
    if scan.mpp is None:
        raise InputError(f"{scan.name} does not say its µm/px; give it with --fixed-mpp or --moving-mpp.")


def find_tissue(scan: Scan) -> Foreground:
    """Find the tissue of a slide that is to be registered.

    Raises
    ------
    InputError
        The slide has none, or `check_slide` refuses it.
    """
    check_slide(scan)
    tissue = tissue_mask(scan)
    if not tissue.mask.any():
        raise InputError(f"{scan.name} has no tissue to register: check that it is the right slide.")
    return tissue


def haematoxylin(scan: Scan, tissue: Foreground, mpp: float) -> Density:
    """Read the haematoxylin density of a whole slide.

    One set of stain vectors (haematoxylin, eosin, DAB) serves both slides, so that nobody needs to say which is which.

    Parameters
    ----------
    scan : Scan
        8-bit RGB, of known µm/px.
    tissue : Foreground
        Its tissue, not empty.
    mpp : float
        Wanted µm/px.

    Returns
    -------
    Density
    """
    assert scan.mpp is not None  # as `find_tissue` saw to
    factor = mpp / scan.mpp
    height, width = (max(math.ceil(side / factor), 1) for side in scan.shape)
    values = np.empty((height, width), np.float32)
    for y in range(0, height, _STRIP):
        rows = min(_STRIP, height - y)
        strip = read_region(scan, y=y, x=0, height=rows, width=width, factor=factor)
        values[y : y + rows] = separate(strip, HED)[..., 0]
    index = (
        np.minimum(((np.arange(side) + 0.5) * factor / tissue.downsample).astype(int), most - 1)
        for side, most in zip((height, width), tissue.mask.shape, strict=True)
    )
    inside = tissue.mask[np.ix_(*index)]
    top = float(np.percentile(values[inside], _BRIGHTEST)) if inside.any() else 0.0
    return Density(np.clip(values, 0.0, max(top, 0.05)), inside, mpp)
