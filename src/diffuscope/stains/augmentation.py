"""Stains changed at random, as laboratories and scanners do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.stains.deconvolution import combine, separate


def augment_stain(rgb: NDArray[np.uint8], stains: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change an H&E crop's stain as laboratories and scanners do (Tellez et al. 2018, in the slide's own stains).

    Each stain's density is scaled by 0.7–1.4, its vector turned a little, the background dimmed by up to
    8 %, and one crop in three blurred by up to 0.6 px.
    """
    densities = separate(rgb, stains) * rng.uniform(0.7, 1.4, 3) + rng.normal(0.0, 0.01, 3)
    turned = np.abs(stains) * rng.uniform(0.85, 1.18, (3, 3))
    turned[2] = stains[2]
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    image = combine(densities, turned).astype(np.float32) * rng.uniform(0.92, 1.0)
    if rng.random() < 1 / 3:
        image = ndimage.gaussian_filter(image, (*([rng.uniform(0.2, 0.6)] * 2), 0))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
