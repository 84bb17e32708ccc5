"""MIDiffusion's score network: a diffusion U-Net that sees the noisy target and the maps of its condition."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.networks.blocks import ChannelNorm, ResidualBlock
from diffuscope.networks.unet import ModulatedUNet

# Channels of an attention head.
_HEAD = 32


class AttendedBlock(nn.Module):
    """A residual block, then self-attention over all its pixels, in the place of a U-Net's middle.

    Parameters
    ----------
    block : ResidualBlock
        With time.
    width : int
        Its channels.
    """

    def __init__(self, block: ResidualBlock, width: int) -> None:
        super().__init__()
        self.block = block
        self.heads = max(width // _HEAD, 1)
        self.norm = ChannelNorm()
        self.project = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        # Begins as the block alone, as the blocks begin as the identity.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Map (n, width, h, w) to the same shape."""
        x = self.block(x, embedding)
        n, width, height, across = x.shape
        heads = self.project(self.norm(x)).reshape(n, 3, self.heads, width // self.heads, height * across)
        query, key, value = heads.transpose(-1, -2).unbind(dim=1)
        found = F.scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.out(found.reshape(n, width, height, across))


class ScoreNetwork(nn.Module):
    """s_θ(F_t, LMI(F; F, F_t), t) by way of the clean estimate D: s = (D − F_t) / σ_t².

    The U-Net's raw output is read as a velocity v = √ᾱ z − √(1 − ᾱ) x_0 with ᾱ = 1 / (1 + σ²), of unit size at every σ.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level, finest first.
    condition : int
        Channels of the condition: the two maps of LMI, and those of the place where it is told.
    attention : bool
        Whether the coarsest level attends to itself, at 16 px of a 128 px patch as the official code.
    """

    def __init__(self, widths: Sequence[int], *, condition: int = 2, attention: bool) -> None:
        super().__init__()
        self.condition = condition
        self.unet = ModulatedUNet(1, widths, inputs=1 + condition)
        if attention:
            self.unet.middle = AttendedBlock(self.unet.middle, widths[-1])  # type: ignore[assignment]

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Predict the velocity.

        Parameters
        ----------
        x : Tensor of shape (n, 1, h, w)
            √ᾱ (x_0 + σ z), float32.
        time : Tensor of shape (n,) or (1,)
            t in [0, 1].
        condition : Tensor of shape (n, condition, h, w)
            See `diffuscope.systems.midiffusion.condition`; `DROPPED` where there is none.

        Returns
        -------
        Tensor of shape (n, 1, h, w)
            float32.
        """
        seen = torch.cat([x, condition], dim=1).contiguous(memory_format=torch.channels_last)
        return self.unet(seen, time).float()
