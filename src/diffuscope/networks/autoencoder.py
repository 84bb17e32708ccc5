"""A small convolutional autoencoder with finite scalar quantisation: one modality to bounded latents and back.

Quantisation without a codebook (Mentzer et al., ICLR 2024): each latent channel is bounded by tanh and rounded to one
of a few levels. Nothing has to be learned or kept from collapsing, and a sampler may clip latents as it clips images.
Norms are those of `diffuscope.networks.blocks`, local to a pixel; group norms would see the whole tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from diffuscope.networks.blocks import ChannelNorm, ResidualBlock, Upsample, downsample, silu


class Autoencoder(nn.Module):
    """Image in [−1, 1] to latents in (−1, 1) before quantisation, and back through quantisation.

    Parameters
    ----------
    channels : int
        Of the image.
    latent : int
        Channels of the latents.
    widths : sequence of int
        Channels of each level, finest first; sides shrink by 2^(levels − 1), of which they must be multiples.
    levels : int
        Values that a latent can take, odd.
    """

    def __init__(self, channels: int, latent: int, widths: Sequence[int], *, levels: int = 17) -> None:
        super().__init__()
        if levels < 3 or levels % 2 == 0:
            raise ValueError(f"levels must be odd and at least 3, not {levels}")
        self.largest = (levels - 1) // 2
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(ResidualBlock(width, width) for width in widths)
        self.down = nn.ModuleList(downsample(a, b) for a, b in pairwise(widths))
        self.norm = ChannelNorm()
        self.squeeze = nn.Conv2d(widths[-1], latent, 1)
        self.widen = nn.Conv2d(latent, widths[-1], 3, padding=1)
        self.decoder = nn.ModuleList(ResidualBlock(width, width) for width in widths)
        self.up = nn.ModuleList(Upsample(b, a) for a, b in pairwise(widths))
        self.out = nn.Conv2d(widths[0], channels, 3, padding=1)

    def encode(self, image: Tensor) -> Tensor:
        """Return the latents (n, latent, h / f, w / f) of images (n, channels, h, w), not quantised."""
        h = self.stem(image)
        for level, block in enumerate(self.encoder):
            h = block(self.down[level - 1](h) if level else h)
        return torch.tanh(self.squeeze(self.norm(h, activate=True)).float())

    def quantise(self, latents: Tensor) -> Tensor:
        """Round to the levels k / largest; the gradient goes through as if nothing had happened."""
        rounded = torch.round(latents * self.largest) / self.largest
        return latents + (rounded - latents).detach()

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (n, channels, h, w) of latents, which are quantised first."""
        h = self.widen(self.quantise(latents))
        for level in reversed(range(len(self.decoder))):
            h = self.decoder[level](h)
            if level:
                h = self.up[level - 1](h)
        return self.out(silu(h))
