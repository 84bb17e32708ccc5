"""Images moved, turned, stretched and bent at random, on whatever device they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Largest turn, radians; log of the largest stretch, and of what y and x may differ by; shear.
_TURN, _STRETCH, _UNEVEN, _SHEAR = math.radians(12.0), math.log(1.2), 0.1, 0.08
# Px between the nodes of the field that bends.
_NODES = 32


def warped(images: Tensor, boxes: Tensor, side: int, generator: torch.Generator, *, elastic: float) -> Tensor:
    """Return each image in a canvas, warped and mirrored left to right at random.

    What lies in the box is brought into the canvas as a whole, made smaller where it must be, and lies anywhere in it.

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        The same warp for all channels; float32.
    boxes : Tensor of shape (n, 4)
        (top, left, height, width) px of what the canvas must hold.
    side : int
        Of the canvas, px.
    generator : torch.Generator
        On the images' device.
    elastic : float
        Standard deviation, px, of the field that bends, at its nodes, 32 px apart.

    Returns
    -------
    Tensor of shape (n, c, side, side)
        By cubic interpolation, which keeps texture; 0 beside the images.
    """
    n, _, height, width = images.shape
    where = images.device

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator, device=where)

    size = boxes[:, 2:]
    stretch = torch.exp(between(-_STRETCH, _STRETCH, 1) + between(-0.5 * _UNEVEN, 0.5 * _UNEVEN, 2))
    stretch = torch.minimum(stretch, side / size.amax(dim=1, keepdim=True).clamp_min(1.0))
    room = (0.5 * (side - stretch * size)).clamp_min(0.0)
    centre = 0.5 * (side - 1) + room * between(-1.0, 1.0, 2)
    turn, shear = between(-_TURN, _TURN), between(-_SHEAR, _SHEAR)
    mirror = torch.where(between(0.0, 1.0) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos(), turn.sin()
    # From the canvas back to the image, (y, x).
    back = torch.stack([cos, -sin, mirror * (sin + shear * cos), mirror * (cos - shear * sin)], dim=1).reshape(n, 2, 2)
    axis = torch.arange(side, device=where, dtype=torch.float32)
    at = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
    nodes = -(-side // _NODES) + 1
    bent = elastic * torch.randn(n, 2, nodes, nodes, generator=generator, device=where)
    bent = F.interpolate(bent, size=(side, side), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    moved = (at - centre[:, None, None] + bent) / stretch[:, None, None]
    found = torch.einsum("nij,nyxj->nyxi", back, moved) + (boxes[:, :2] + 0.5 * (size - 1.0))[:, None, None]
    # grid_sample wants (x, y), −1 and 1 at the outer edges of the first and last pixel.
    y, x = ((2.0 * one + 1.0) / extent - 1.0 for one, extent in zip(found.unbind(-1), (height, width), strict=True))
    grid = torch.stack([x, y], dim=-1)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
