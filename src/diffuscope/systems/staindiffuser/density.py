"""Densities of sampled images, computed where the network runs: what `diffuscope.stains` does with arrays.

A GPU would wait for the CPU to do it, and the CPU could not keep up.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.stains import HDAB, fill_rims

# Sides at which rims are filled first, and steps between two looks at whether anything still changes.
_COARSEST, _STEPS = 17, 16


def optical_density(rgb: Tensor) -> Tensor:
    """Return −log10((v + 1) / 256) of values in [0, 255], as `diffuscope.stains.optical_density`."""
    return -torch.log10((rgb.float() + 1.0) / 256.0)


def dab_of(rgb: Tensor) -> Tensor:
    """Return the DAB optical density (n, 1, h, w) of images (n, 3, h, w) in [0, 255], rounded as they are stored.

    As `diffuscope.stains.dab_density`, to the rounding of float32.
    """
    red, green, blue = optical_density(rgb.round()).unbind(dim=1)
    of_red, of_green, of_blue = np.linalg.inv(HDAB)[:, 1].tolist()
    return (of_red * red + of_green * green + of_blue * blue).clamp(min=0.0)[:, None]


def mean_density(rgb: Tensor) -> Tensor:
    """Return the optical density, mean of the three colours, (n, 1, h, w) of images in [0, 255]."""
    return optical_density(rgb.round()).mean(dim=1, keepdim=True)


def filled(density: Tensor) -> Tensor:
    """Raise the inside of every closed rim to the lowest point of that rim, to the same bits as `fill_rims`.

    Parameters
    ----------
    density : Tensor of shape (n, 1, h, w)
        OD, float32.

    Returns
    -------
    Tensor
        Of that shape, on that device.
    """
    if density.device.type == "cpu":
        one_by_one = [fill_rims(image) for image in density[:, 0].numpy()]
        return torch.from_numpy(np.stack(one_by_one))[:, None]
    if density.device.type == "cuda" and find_spec("triton") is not None:
        # Here, not above: who has no such device need not have it.
        from diffuscope.systems.staindiffuser.rims_kernel import fill

        return fill(density)
    return fill_rims_in_parallel(density)


def fill_rims_in_parallel(density: Tensor) -> Tensor:
    """Fill rims by steps that change all pixels at once (see `filled`).

    The result is the greatest image that agrees with the density at the edge of the picture and is nowhere, but where
    the density is higher, above the lowest of its eight neighbours (Vincent 1993). Steps towards it come down from any
    image above it. A good one is the result for a picture of half the side whose pixels are the highest of each four:
    every way out of it is a way out of the finer one that climbs no higher.
    """
    height, width = density.shape[-2:]
    if min(height, width) <= _COARSEST:
        above = torch.full_like(density, torch.inf)
    else:
        odd = (0, width % 2, 0, height % 2)
        coarse = F.max_pool2d(F.pad(density, odd, mode="replicate"), 2)
        above = F.interpolate(fill_rims_in_parallel(coarse), scale_factor=2.0, mode="nearest")[..., :height, :width]
    above = above.clone(memory_format=torch.contiguous_format)
    for edge in ((..., 0, slice(None)), (..., -1, slice(None)), (..., 0), (..., -1)):
        above[edge] = density[edge]
    while True:
        before = above
        for _ in range(_STEPS):
            above = torch.maximum(-F.max_pool2d(-above, 3, stride=1, padding=1), density)
        if torch.equal(before, above):
            return above
