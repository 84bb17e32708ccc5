"""Convolutional blocks for tiled diffusion: every statistic is local to a pixel.

Group and batch normalisation take means over the whole tile, so that what one pixel becomes depends on what
lies at the far end of its tile, and neighbouring tiles disagree where they overlap. Normalising each pixel over
its channels keeps the reach of a network to its convolutions; seams then vanish with the overlap.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.networks import fused, twins
from diffuscope.networks.prepared import prepared
from diffuscope.networks.twins import silu

__all__ = ["ChannelNorm", "GroupNorm", "ResidualBlock", "TimeEmbedding", "Upsample", "downsample", "silu"]


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel over its channels, without an affine part.

    Parameters
    ----------
    eps : float
        Added to the variance.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None, *, activate: bool = False) -> Tensor:
        """Normalise x of shape (n, c, h, w) over c, modulate and activate it (see `fused.channel_norm`)."""
        return fused.channel_norm(x, self.eps, modulation=modulation, activate=activate)


class GroupNorm(nn.GroupNorm):
    """Group normalisation (Wu & He 2018), called as `ChannelNorm` is: its statistics are of the whole tile.

    For systems whose tiles are seen as a whole anyway: what is rare and bright stands out against a tile, where
    normalised px by px it weighs no more than the background.

    Parameters
    ----------
    groups, channels : int
        The second a multiple of the first.
    """

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None, *, activate: bool = False) -> Tensor:
        """Normalise x of shape (n, c, h, w), modulate and activate it."""
        h = super().forward(x)
        if modulation is not None:
            scale, shift = modulation
            h = torch.addcmul(shift, h, scale)
        return silu(h) if activate else h


class TimeEmbedding(nn.Module):
    """Sinusoidal embedding of the diffusion time in [0, 1], followed by a two-layer perceptron.

    Parameters
    ----------
    width : int
        Channels of the embedding, even.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0.0, math.log(1000.0), width // 2)), False)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, time: Tensor) -> Tensor:
        """Embed time of shape (n,) in [0, 1] (t / T, so that T can change) to (n, width)."""
        angles = time[:, None].float() * self.get_buffer("frequencies")
        # Never under autocast: the cast of the weights would take longer than these products.
        with torch.autocast(time.device.type, enabled=False):
            return self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))


class ResidualBlock(nn.Module):
    """Norm, modulation, SiLU, 3×3 convolution, time scale and shift, SiLU, 3×3 convolution, plus the input.

    One normalisation a block: on a CPU the element-wise passes cost more than the convolutions.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    time_width : int
        Channels of the time embedding; 0 for a block without time.
    norm : Module, optional
        Of its input, (n, inputs, h, w); default `ChannelNorm`.
    """

    def __init__(self, inputs: int, outputs: int, time_width: int = 0, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = ChannelNorm() if norm is None else norm
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        # Each block begins as the identity, so that depth does not slow the first steps of training.
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.time = nn.Linear(time_width, 2 * outputs) if time_width else None

    def forward(
        self,
        x: Tensor,
        embedding: Tensor | None = None,
        modulation: tuple[Tensor, Tensor] | None = None,
        *,
        beside: tuple[Upsample, Tensor] | None = None,
    ) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w).

        Parameters
        ----------
        x : Tensor of shape (n, inputs, h, w)
            Feature.
        embedding : Tensor of shape (n, time_width) or (1, time_width), optional
            Time embedding, for a block with time.
        modulation : (scale, shift), optional
            Each (n, inputs, h, w): the normalised feature becomes feature · scale + shift.
        beside : (up, skip), optional
            x is the feature of the coarser level: it is upsampled first, and joined with the skip, each then of
            (n, inputs / 2, h, w).
        """
        if beside is not None:
            up, skip = beside
            plain = fused.plain(x) or torch.is_grad_enabled() or modulation is not None
            # The kernel's norm is one of each pixel over its channels.
            if isinstance(self.norm, ChannelNorm) and not plain:
                x, h = fused.interleave_join(up.four(x), up.conv.get_parameter("bias"), skip, self.norm.eps)
                return self._rest(x, h, embedding)
            x = twins.join(up.four(x, up.conv.bias), skip)
        return self._rest(x, self.norm(x, modulation, activate=True), embedding)

    def _rest(self, x: Tensor, h: Tensor, embedding: Tensor | None) -> Tensor:
        """Go on from the feature, and from what norm, modulation and SiLU have made of it."""
        if fused.plain(x) or torch.is_grad_enabled():
            return twins.add(self.second(silu(self._first(h, embedding))), self.skip(x))
        # A convolution on CUDA adds its bias in a pass of its own: here the pass that comes next anyway adds it.
        bias: Tensor = self.second.get_parameter("bias")
        if isinstance(self.skip, nn.Conv2d):
            x = F.conv2d(x, prepared(self.skip.weight, x.dtype))
            bias = bias + self.skip.get_parameter("bias")
        h = F.conv2d(h, prepared(self.first.weight, h.dtype), padding=1)
        h = fused.bias_silu(h, self.first.get_parameter("bias"), self._time(embedding))
        return fused.add_bias(F.conv2d(h, prepared(self.second.weight, h.dtype), padding=1), x, bias)

    def _time(self, embedding: Tensor | None) -> Tensor | None:
        """Return scale − 1 and shift of each channel by time, (n, 2 · outputs) or (1, 2 · outputs)."""
        if self.time is None or embedding is None:
            return None
        with torch.autocast(embedding.device.type, enabled=False):
            return self.time(embedding)

    def _first(self, h: Tensor, embedding: Tensor | None) -> Tensor:
        """Convolve, then scale and shift by time."""
        time = self._time(embedding)
        if time is None:
            return self.first(h)
        gain, shift = time.chunk(2, dim=1)
        gain = 1.0 + gain
        if len(time) > 1:
            return torch.addcmul(shift[:, :, None, None], self.first(h), gain[:, :, None, None])
        # One time for all: the weights take the scale, and a pass over the feature is saved.
        bias = torch.addcmul(shift[0], self.first.get_parameter("bias"), gain[0])
        return F.conv2d(h, self.first.weight * gain[0, :, None, None, None], bias, padding=1)


def downsample(inputs: int, outputs: int) -> nn.Conv2d:
    """2× downsampling by a 2×2 convolution of stride 2: no pixel is seen twice, so no aliasing of borders."""
    return nn.Conv2d(inputs, outputs, 2, stride=2)


class Upsample(nn.Module):
    """2× upsampling: nearest neighbour, then a 3×3 convolution (no checkerboard)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, 2h, 2w)."""
        return twins.interleave(self.four(x, self.conv.bias))

    def four(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the pixels of each of the four places that a pixel becomes, (n, 4 · outputs, h + 1, w + 1).

        Of the nine pixels that the convolution sees after the doubling at most four differ: one convolution with four
        2×2 kernels, sums over parts of the 3×3 kernel, makes the four pixels that each pixel becomes with 4/9 of the
        products. (As a transposed convolution it takes as long, but its last bits depend on the number of threads.)
        """
        kernels = prepared(self.conv.weight, x.dtype, _four_kernels)
        return F.conv2d(x, kernels, None if bias is None else bias.repeat(4), padding=1)


def _four_kernels(weight: Tensor) -> Tensor:
    sums = F.avg_pool2d(weight, 2, stride=1, padding=1, divisor_override=1)
    return torch.cat([sums[:, :, a::2, b::2] for a in (0, 1) for b in (0, 1)])
