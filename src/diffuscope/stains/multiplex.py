"""The virtual multiplex: several stains of one tissue in one bright-field picture, each in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.stains.deconvolution import HDAB, combine, separate

#: Optical density of red, green and blue of each chromogen, by the name of its colour; see `multiplex`. The first is
#: DAB itself (Ruifrok & Johnston 2001); the others are chosen to be told apart from it and from haematoxylin.
CHROMOGENS: dict[str, tuple[float, float, float]] = {
    "brown": (0.27, 0.57, 0.78),
    "green": (0.85, 0.15, 0.50),
    "magenta": (0.15, 0.95, 0.28),
    "yellow": (0.03, 0.20, 0.98),
}


def multiplex(images: Sequence[NDArray[np.uint8]], dabs: Sequence[NDArray[np.floating]]) -> NDArray[np.uint8]:
    """Draw the DAB of up to four stains as four chromogens over their common haematoxylin.

    By Lambert-Beer: OD = H·v_H + Σ_i D_i·c_i for each of red, green and blue, and the value 256·10^(−OD) − 1, rounded;
    H is the haematoxylin density of the stains' images by colour deconvolution, the mean over the stains, v_H its unit
    vector, D_i the DAB density and c_i the unit vector of chromogen i of `CHROMOGENS`
    (which are scaled to it). With one stain alone this
    is its image without what is neither haematoxylin nor DAB.

    Parameters
    ----------
    images : sequence of ndarray of shape (..., 3)
        Virtual IHC of each stain, uint8.
    dabs : sequence of ndarray of shape (...)
        DAB optical density of each stain, OD; what is not finite counts as 0.

    Returns
    -------
    ndarray of shape (..., 3)
        uint8.
    """
    if len(dabs) > len(CHROMOGENS):
        raise ValueError(f"there are {len(CHROMOGENS)} chromogens, not {len(dabs)}")
    colours = np.array(list(CHROMOGENS.values())[: len(dabs)])
    vectors = np.vstack([HDAB[0], colours / np.linalg.norm(colours, axis=1, keepdims=True)])
    haematoxylin = np.mean([np.maximum(separate(image, HDAB)[..., 0], 0.0) for image in images], axis=0)
    densities = np.stack([haematoxylin, *(np.nan_to_num(dab, posinf=0.0, neginf=0.0) for dab in dabs)], axis=-1)
    return combine(densities, vectors)
