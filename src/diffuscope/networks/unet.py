"""An image encoder, a plain U-Net on it, and a diffusion U-Net whose encoder features can be modulated from outside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from diffuscope.networks.blocks import ChannelNorm, ResidualBlock, TimeEmbedding, Upsample, downsample


class Encoder(nn.Module):
    """Feature pyramid of a condition image: one residual block a level, halving the size between levels.

    Parameters
    ----------
    channels : int
        Channels of the image.
    widths : sequence of int
        Channels of each level, finest first.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, width) for width in widths)
        self.down = nn.ModuleList(downsample(a, b) for a, b in pairwise(widths))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return F_1…F_n of shapes (n, widths[i], h / 2^i, w / 2^i) for an image (n, channels, h, w)."""
        h = self.stem(image)
        features = []
        for level, block in enumerate(self.blocks):
            h = block(self.down[level - 1](h) if level else h)
            features.append(h)
        return features


class UNet(nn.Module):
    """U-Net from image to image, without a diffusion time: `Encoder`, and a decoder with skips.

    Parameters
    ----------
    inputs, outputs : int
        Channels of the image that goes in, and of the one that comes out.
    widths : sequence of int
        Channels of each level, finest first. Sides must be multiples of 2^(levels − 1).
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Encoder(inputs, widths)
        self.up = nn.ModuleList(Upsample(b, a) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(ResidualBlock(2 * width, width) for width in widths[:-1])
        self.norm = ChannelNorm()
        self.head = nn.Conv2d(widths[0], outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w)."""
        *skips, h = self.encoder(image)
        for level in reversed(range(len(skips))):
            h = self.decoder[level](h, beside=(self.up[level], skips[level]))
        return self.head(self.norm(h, activate=True))


class ModulatedUNet(nn.Module):
    """U-Net, of diffusion or plain, that takes a modulation (scale, shift) of each encoder level's feature.

    Parameters
    ----------
    channels : int
        Channels of the output, and of the noisy image.
    widths : sequence of int
        Channels of each level, finest first. Sides must be multiples of 2^(levels − 1).
    inputs : int, optional
        Channels of what goes in, where they are not those of the output.
    timed : bool
        Whether it knows the diffusion time.
    """

    def __init__(self, channels: int, widths: Sequence[int], *, inputs: int | None = None, timed: bool = True) -> None:
        super().__init__()
        time_width = 4 * widths[0] if timed else 0
        self.embed = TimeEmbedding(time_width) if timed else None
        self.norm = ChannelNorm()
        self.stem = nn.Conv2d(inputs or channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(ResidualBlock(width, width, time_width) for width in widths)
        self.down = nn.ModuleList(downsample(a, b) for a, b in pairwise(widths))
        self.middle = ResidualBlock(widths[-1], widths[-1], time_width)
        self.up = nn.ModuleList(Upsample(b, a) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(ResidualBlock(2 * width, width, time_width) for width in widths)
        self.head = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self, x: Tensor, time: Tensor | None = None, modulation: Sequence[tuple[Tensor, Tensor]] | None = None
    ) -> Tensor:
        """Map an image to (n, channels, h, w).

        Parameters
        ----------
        x : Tensor of shape (n, inputs, h, w)
            Noisy image, or whatever else goes in.
        time : Tensor of shape (n,) or (1,), optional
            t / T in [0, 1], one for the whole batch is cheaper; required where `timed`.
        modulation : sequence of (scale, shift), optional
            A pair a level, each (n, widths[i], h / 2^i, w / 2^i): the level's normalised feature
            becomes feature · scale + shift.
        """
        embedding = None if self.embed is None else self.embed(time)
        h = self.stem(x)
        skips = []
        for level, block in enumerate(self.encoder):
            h = self.down[level - 1](h) if level else h
            h = block(h, embedding, modulation[level] if modulation is not None else None)
            skips.append(h)
        h = self.decoder[-1](torch.cat([self.middle(h, embedding), skips[-1]], dim=1), embedding)
        for level in reversed(range(len(skips) - 1)):
            h = self.decoder[level](h, embedding, beside=(self.up[level], skips[level]))
        return self.head(self.norm(h, activate=True))
