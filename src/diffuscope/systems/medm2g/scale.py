"""Latents brought to a mean of 0 and a deviation of 1: Stable Diffusion's scaling factor, measured, a channel each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# How fast it follows the batches that train the autoencoder.
_FOLLOWS = 0.01
_LEAST = 1e-3


class Scale(nn.Module):
    """Mean and deviation of each channel of latents, which follow the batches of a training.

    Parameters
    ----------
    channels : int
        Of the latents (n, channels, …).
    """

    mean: Tensor
    deviation: Tensor
    followed: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("followed", torch.zeros(()))

    def forward(self, latents: Tensor) -> Tensor:
        """Return latents scaled."""
        return (latents - _along(self.mean, latents)) / _along(self.deviation, latents)

    def undo(self, latents: Tensor) -> Tensor:
        """Return scaled latents as the autoencoder has them."""
        return latents * _along(self.deviation, latents) + _along(self.mean, latents)

    @torch.no_grad()
    def follow(self, latents: Tensor) -> None:
        """Go towards the moments of a batch; the first batches count as they would in a plain mean."""
        self.followed += 1
        share = max(_FOLLOWS, 1.0 / float(self.followed))
        each = latents.float().transpose(0, 1).flatten(1)
        self.mean.lerp_(each.mean(1), share)
        self.deviation.lerp_(each.std(1).clamp_min(_LEAST), share)


def _along(values: Tensor, latents: Tensor) -> Tensor:
    return values.view(1, -1, *(1,) * (latents.ndim - 2))
