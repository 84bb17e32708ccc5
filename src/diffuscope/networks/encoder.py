"""A residual encoder with batch norms, for a condition image that is encoded once, whatever the number of steps.

Where it runs, a batch norm is a fixed affine map: what one pixel becomes depends on no pixel far away, so there
are no seams, and how dark a pixel is survives, which a norm over channels divides away.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from diffuscope.networks.blocks import downsample, silu


class PreActivationBlock(nn.Module):
    """Batch norm, SiLU, 3×3 convolution, twice, plus the input (He et al. 2016b).

    Parameters
    ----------
    width : int
        Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(width)
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        # Each block begins as the identity, so that depth does not slow the first steps of training.
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, width, h, w) to the same shape."""
        h = self.first(silu(self.first_norm(x)))
        return self.second(silu(self.second_norm(h))) + x


class ResidualEncoder(nn.Module):
    """Feature pyramid of a condition image: pre-activation blocks at each level, halving the size between levels.

    Parameters
    ----------
    channels : int
        Channels of the image.
    widths : sequence of int
        Channels of each level, finest first.
    blocks : int
        Blocks a level.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(PreActivationBlock(width) for _ in range(blocks))) for width in widths
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.down = nn.ModuleList(downsample(a, b) for a, b in pairwise(widths))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return F_1…F_n of shapes (n, widths[i], h / 2^i, w / 2^i) for an image (n, channels, h, w)."""
        h = self.stem(image)
        features = []
        for level, (blocks, norm) in enumerate(zip(self.levels, self.norms, strict=True)):
            h = blocks(self.down[level - 1](h) if level else h)
            features.append(silu(norm(h)))
        return features
