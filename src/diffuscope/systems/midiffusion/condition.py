"""What the network sees of a source: LMI(G; G, F_t), two maps at the network's resolution, and the place."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.systems.midiffusion.config import GuidanceConfig
from diffuscope.systems.midiffusion.lmi import Guide, Information, most_information

#: Value of all maps where LMI is dropped; LMI itself is never below 0.
DROPPED = -1.0


class Condition:
    """LMI(G, F_t) and LMI(G, G), the second and what the first needs of G computed once for all t.

    Where the estimator breaks Theorem 1, LMI(G, F_t) ≤ LMI(G, G), the first is set to the second.

    Parameters
    ----------
    guide : Tensor of shape (n, 1, h, w)
        G in [−1, 1]; h and w multiples of `config.reduce`.
    config : GuidanceConfig
        See there.
    place : Tensor of shape (n, 3, h, w), optional
        Of `diffuscope.systems.midiffusion.place.place_maps`, for a network that sees them.
    """

    def __init__(self, guide: Tensor, config: GuidanceConfig, place: Tensor | None = None) -> None:
        self._config, self._place = config, () if place is None else (place,)
        self._guide = Guide(prepare(guide, config), config.lmi)
        self._itself = self._map(self._guide.itself())
        self._shown = self._enlarged(self._itself)

    def __call__(self, noisy: Tensor) -> Tensor:
        """Return both maps of LMI in [0, 1], and the place where there is one: (n, 2 or 5, h, w).

        Parameters
        ----------
        noisy : Tensor of shape (n, 1, h, w)
            √ᾱ_t x_0 + √(1 − ᾱ_t) z, which is of unit size at every t.
        """
        found = torch.minimum(self._map(self._guide(prepare(noisy, self._config))), self._itself)
        return torch.cat([self._enlarged(found), self._shown, *self._place], dim=1)

    def _map(self, found: Information) -> Tensor:
        if self._config.measure == "normalised":
            return found.normalised
        return found.raw / most_information(self._config.lmi)

    def _enlarged(self, image: Tensor) -> Tensor:
        if self._config.reduce == 1:
            return image
        return F.interpolate(image, scale_factor=float(self._config.reduce), mode="bilinear", align_corners=False)


def prepare(image: Tensor, config: GuidanceConfig) -> Tensor:
    """Smooth and reduce an image (n, 1, h, w) as the configuration says."""
    image = smooth(image.float(), config.smooth) if config.smooth else image.float()
    return F.avg_pool2d(image, config.reduce) if config.reduce > 1 else image


def smooth(image: Tensor, sigma: float) -> Tensor:
    """Gaussian filter of images (n, 1, h, w), cut off at 3 σ; beyond the border the outermost pixels are repeated."""
    reach = math.ceil(3.0 * sigma)
    place = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = (-0.5 * (place / sigma).square()).softmax(dim=0)
    with torch.autocast(image.device.type, enabled=False):
        image = F.conv2d(F.pad(image, (0, 0, reach, reach), mode="replicate"), kernel[None, None, :, None])
        return F.conv2d(F.pad(image, (reach, reach, 0, 0), mode="replicate"), kernel[None, None, None, :])
