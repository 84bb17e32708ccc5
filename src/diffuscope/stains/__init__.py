"""Optical density, colour deconvolution, stain vectors, normalisation, augmentation, coarse masks (no torch, no Qt)."""

from diffuscope.stains.augmentation import augment_stain
from diffuscope.stains.deconvolution import HDAB, HED, combine, dab_density, optical_density, separate
from diffuscope.stains.masks import coarse_mask, fill_rims, mean_plus_two_sigma, signed_distance
from diffuscope.stains.multiplex import CHROMOGENS, multiplex
from diffuscope.stains.normalisation import StainStatistics, measure_stains, normalise
from diffuscope.stains.vectors import REFERENCE, estimate_stains, is_black

__all__ = [
    "CHROMOGENS",
    "HDAB",
    "HED",
    "REFERENCE",
    "StainStatistics",
    "augment_stain",
    "coarse_mask",
    "combine",
    "dab_density",
    "estimate_stains",
    "fill_rims",
    "is_black",
    "mean_plus_two_sigma",
    "measure_stains",
    "multiplex",
    "normalise",
    "optical_density",
    "separate",
    "signed_distance",
]
