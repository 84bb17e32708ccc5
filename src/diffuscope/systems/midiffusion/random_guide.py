"""Guides for training: the target in the contrast of a modality that there is not.

A source shows the patient in its own contrast. A network that was trained with the target as its own guide learns to
count on edges being as strong as the target's, and on none being there that the target has not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Levels that the target's range is mapped to, in between linearly.
_KNOTS = 8
# Chances: the mapping only rises, only falls; air stays air; the guide shows regions that the target does not.
_RISES, _FALLS, _AIR, _REGIONS = 0.2, 0.1, 0.7, 0.3
# Greatest standard deviations of blur, px, and noise, part of the range; standard deviation of the logarithm of the
# bias field; greatest change of level in a region.
_BLUR, _NOISE, _BIAS, _STEP = 1.0, 0.12, 0.15, 0.4
# Nodes along a side of the smooth fields that bias and regions are made of.
_BIAS_NODES, _REGION_NODES = 4, 10
_REACH = 3


def random_guide(clean: Tensor, body: Tensor, generator: torch.Generator) -> Tensor:
    """Return φ(F): a random piecewise-linear, often not monotone map of levels, with bias, blur and noise.

    In a part of them some regions get another level, whatever the target: a source shows what the target does not.
    Beside the body it is dark.

    Parameters
    ----------
    clean : Tensor of shape (n, 1, h, w)
        F in [−1, 1].
    body : Tensor of shape (n, 1, h, w)
        1 where the body is, else 0.
    generator : torch.Generator
        On the images' device.

    Returns
    -------
    Tensor of shape (n, 1, h, w)
        In [−1, 1].
    """
    n, _, height, width = clean.shape
    where = clean.device

    def drawn(*shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=generator, device=where)

    def smooth_field(nodes: int) -> Tensor:
        coarse = torch.randn(n, 1, nodes, nodes, generator=generator, device=where)
        return F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)

    with torch.autocast(where.type, enabled=False):
        guide = _mapped(0.5 * (clean.float() + 1.0), _levels(drawn(_KNOTS), drawn(2)))
        region = (smooth_field(_REGION_NODES) > 0.5) & (drawn(1, 1, 1) < _REGIONS)
        guide = guide + region * (_STEP * (2.0 * drawn(1, 1, 1) - 1.0))
        guide = guide * body * torch.exp(_BIAS * smooth_field(_BIAS_NODES))
        guide = _blurred(guide, _BLUR * drawn(1))
        noise = torch.randn(clean.shape, generator=generator, device=where)
        guide = guide + _NOISE * drawn(1, 1, 1).square() * noise
        return 2.0 * guide.clamp(0.0, 1.0) - 1.0


def _levels(values: Tensor, chances: Tensor) -> Tensor:
    """Return the levels (n, knots) in 0 … 1 that each map has, of uniform numbers."""
    rising = values.sort(dim=1).values
    way = chances[:, :1]
    levels = torch.where(way < _RISES, rising, torch.where(way < _RISES + _FALLS, rising.flip(1), values))
    # Air is dark in every modality, inside the body as well.
    dark = torch.arange(values.shape[1], device=values.device) == 0
    return torch.where(dark & (chances[:, 1:] < _AIR), 0.0, levels)


def _mapped(image: Tensor, levels: Tensor) -> Tensor:
    """Map an image (n, 1, h, w) in 0 … 1 piecewise linearly."""
    at = image.flatten(1).clamp(0.0, 1.0) * (levels.shape[1] - 1)
    below = at.long().clamp_max(levels.shape[1] - 2)
    low, high = levels.gather(1, below), levels.gather(1, below + 1)
    return torch.lerp(low, high, at - below).reshape(image.shape)


def _blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Filter each image (n, 1, h, w) with a Gaussian of its own, sigma (n, 1) px, cut off at `_REACH` px."""
    place = torch.arange(-_REACH, _REACH + 1, device=image.device)
    # Of nearly no width it leaves the image as it is.
    kernel = (-0.5 * (place / sigma.clamp_min(1.0 / math.sqrt(80.0))).square()).softmax(dim=1)
    rows = F.pad(image.transpose(0, 1), (_REACH,) * 4, mode="replicate")
    rows = F.conv2d(rows, kernel[:, None, :, None], groups=len(kernel))
    return F.conv2d(rows, kernel[:, None, None, :], groups=len(kernel)).transpose(0, 1)
