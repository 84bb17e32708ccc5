"""Crops as they might have been: mirrored, noisier, unevenly bright.

The authors' code mirrors (0.6), adds noise (0.4), a bias field (0.3) and motion (0.2) with torchio. A CT has no bias
field of a coil; what is kept of it is a slope of HU over the crop, as of beam hardening. Motion is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MIRRORED, _NOISY, _SLOPED = 0.6, 0.4, 0.3
# Of the window, whose ends are −1 and 1: a tenth of it is 20 HU of the default window.
_NOISE, _SLOPE = 0.1, 0.1


def augmented(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Return crops at random changed, each in its own way.

    Parameters
    ----------
    crops : Tensor (n, 1, d, h, w) or (n, structures, 1, d, h, w)
        −1 beside the structure, which stays; NaN where there is none.
    generator : torch.Generator
        On the device of the crops.
    """
    shape, device = crops.shape, crops.device
    flat = crops.reshape(-1, *shape[-3:])

    def drawn(*size: int) -> Tensor:
        return torch.rand((len(flat), *size), generator=generator, device=device)

    beside = flat == -1
    noise = torch.randn(flat.shape, generator=generator, device=device) * (_NOISE * drawn(1, 1, 1))
    changed = flat + noise * (drawn(1, 1, 1) < _NOISY)
    axes = [torch.linspace(-1, 1, size, device=device) for size in shape[-3:]]
    slopes = (2 * drawn(3) - 1) * _SLOPE * (drawn(1) < _SLOPED)
    for axis, at in enumerate(axes):
        changed = changed + slopes[:, axis, None, None, None] * at.view([-1 if one == axis else 1 for one in range(3)])
    changed = torch.where(beside, -1.0, changed.clamp(-1.0, 1.0))
    mirrored = drawn(1, 1, 1) < _MIRRORED
    for axis in range(1, 4):
        changed = torch.where(mirrored & (drawn(1, 1, 1) < 0.5), changed.flip(axis), changed)
    return changed.view(shape)
