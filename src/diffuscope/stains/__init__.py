"""Optical density, colour deconvolution and coarse masks of positive cells (no torch, no Qt)."""

from diffuscope.stains.deconvolution import HDAB, HED, combine, dab_density, optical_density, separate
from diffuscope.stains.masks import coarse_mask, fill_rims, mean_plus_two_sigma, signed_distance
from diffuscope.stains.multiplex import CHROMOGENS, multiplex

__all__ = [
    "CHROMOGENS",
    "HDAB",
    "HED",
    "coarse_mask",
    "combine",
    "dab_density",
    "fill_rims",
    "mean_plus_two_sigma",
    "multiplex",
    "optical_density",
    "separate",
    "signed_distance",
]
