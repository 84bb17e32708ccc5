"""Fusion of the features of two modalities: DAMM-Diffusion's multi-modal fusion module (paper §3.3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpatialWeights(nn.Module):
    """w = σ(B(Conv(δ(B(Conv(v)))))), a weight for every pixel and channel (paper Eq. 6; δ ReLU, B batch norm).

    Parameters
    ----------
    width : int
        Channels of the feature.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.Sigmoid(),
        )
        _begin_at_half(self.layers)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, width, h, w) to weights in (0, 1) of the same shape."""
        return self.layers(feature)


class ChannelWeights(nn.Module):
    """w_se = σ(B(W_2 δ(B(W_1 AvgPool(f))))), a weight for every channel (paper Eq. 7).

    Parameters
    ----------
    width : int
        Channels of the feature.
    reduction : int
        r: the hidden layer has width / r channels, at least one.
    """

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        hidden = max(width // reduction, 1)
        self.layers = nn.Sequential(
            nn.Linear(width, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, width, bias=False),
            nn.BatchNorm1d(width),
            nn.Sigmoid(),
        )
        _begin_at_half(self.layers)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, width, h, w) to weights (n, width, 1, 1) in (0, 1)."""
        return self.layers(feature.mean(dim=(2, 3)))[:, :, None, None]


class MMFM(nn.Module):
    """f = Conv_1×1(w_se ⊙ [w_v ⊗ v, w_n ⊗ n]) (paper §3.3.1, figure 3a).

    Batch norm needs several examples a step in training; afterwards its statistics are fixed. The mean over the whole
    tile in Eq. 7 remains: neighbouring tiles have different channel weights.

    Before training it gives (v + n) / 2: the weights are one half, the last batch norms' gain being 0, and the 1×1
    convolution adds both streams. As they are usually initialised, weights are random from pixel to pixel, which
    disturbs the x_t that the multi-modal decoder sees; and the stream would shrink at each of the modules until its
    normalisation saw rounding only.

    Parameters
    ----------
    width : int
        C, channels of either feature and of the result.
    reduction : int
        r of Eq. 7 (official code: 16).
    """

    def __init__(self, width: int, *, reduction: int = 16) -> None:
        super().__init__()
        self.main = SpatialWeights(width)
        self.auxiliary = SpatialWeights(width)
        self.channels = ChannelWeights(2 * width, reduction)
        self.compress = nn.Conv2d(2 * width, width, 1)
        begin_as_mean(self.compress, 2.0)

    def forward(self, main: Tensor, auxiliary: Tensor) -> Tensor:
        """Fuse two features v, n (n, C, h, w) into one."""
        # f_sp = [w_v ⊗ v, w_n ⊗ n] with Eq. 6, f_se = w_se ⊙ f_sp with Eq. 7.
        f = torch.cat([self.main(main) * main, self.auxiliary(auxiliary) * auxiliary], dim=1)
        return self.compress(self.channels(f) * f)


def _begin_at_half(layers: nn.Sequential) -> None:
    """Let weights σ(B(…)) begin as σ(0), whatever the batch."""
    norm = layers[-2]
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    nn.init.zeros_(norm.weight)


def begin_as_mean(convolution: nn.Conv2d, gain: float) -> None:
    """Let a 1×1 convolution 2C → C begin as `gain` times the sum of its two halves."""
    identity = torch.eye(convolution.out_channels)
    convolution.weight.data.copy_(gain * torch.cat([identity, identity], dim=1)[:, :, None, None])
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
