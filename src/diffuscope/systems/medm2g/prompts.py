"""Prompt encoders of the imaging modalities (C_CT, C_MRI, C_Xray), and changes that leave what is seen the same."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Furthest that a view is moved, as a share of its side; sides are never swapped: a report names them.
_MOVED = 0.06
_GROUPS = 8


class ImagePrompt(nn.Module):
    """A picture to a vector of the space that all modalities share, and to tokens of places.

    Parameters
    ----------
    width : int
        Numbers of the vector and of a token.
    kinds : int
        Kinds of images that it is told of, e.g. contrasts.
    """

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__()
        widths = (max(width // 8, _GROUPS), max(width // 4, _GROUPS), max(width // 2, _GROUPS), width)
        self.kind = nn.Embedding(kinds, widths[0])
        self.stem = nn.Conv2d(1, widths[0], 3, padding=1)
        self.stages = nn.ModuleList(_Stage(a, b) for a, b in pairwise(widths))
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, image: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vector (n, width) and tokens (n, (s / 8)², width) of pictures (n, 1, s, s) of kinds (n,)."""
        h = self.stem(image) + self.kind(kind)[:, :, None, None]
        for stage in self.stages:
            h = stage(h)
        tokens = h.flatten(2).transpose(1, 2)
        whole = self.head(torch.cat([tokens.mean(1), tokens.amax(1)], dim=1))
        return whole, tokens


class _Stage(nn.Module):
    """Two convolutions beside a shortcut, at half the side."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(_groups(before), before), nn.SiLU(), nn.Conv2d(before, after, 3, stride=2, padding=1)
        )
        self.second = nn.Sequential(
            nn.GroupNorm(_groups(after), after), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1)
        )
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, h: Tensor) -> Tensor:
        return self.second(self.first(h)) + self.shortcut(F.avg_pool2d(h, 2))


def _groups(width: int) -> int:
    return _GROUPS if width % _GROUPS == 0 else 1


def viewed(image: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures in [−1, 1] moved a little, of other contrast and brightness, with some noise.

    Parameters
    ----------
    image : Tensor of shape (n, 1, s, s)
        Pictures.
    generator : torch.Generator
        What is drawn from, on its own device.
    """
    number, where = len(image), generator.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(number, *shape, generator=generator, device=where).to(image)

    shift = (draw(2) * 2 - 1) * 2 * _MOVED
    grow = 1 + (draw(1) * 2 - 1) * _MOVED
    theta = torch.zeros(number, 2, 3, device=image.device, dtype=image.dtype)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = grow[:, 0], grow[:, 0], shift
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    moved = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    gain, offset = 0.8 + 0.4 * draw(1, 1, 1), 0.2 * (draw(1, 1, 1) - 0.5)
    noise = torch.randn(moved.shape, generator=generator, device=where).to(image)
    return moved * gain + offset + 0.05 * noise
