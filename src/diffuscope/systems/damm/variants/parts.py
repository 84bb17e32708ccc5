"""What stands in the place of the fusion modules where a table leaves them out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffuscope.systems.damm.mmfm import begin_as_mean
from diffuscope.systems.damm.uafm import UAFM, in_full


class Concatenation(nn.Module):
    """Conv_1×1([v, n]): what is left of `MMFM` without its weights.

    Parameters
    ----------
    width : int
        C, channels of either feature and of the result.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.compress = nn.Conv2d(2 * width, width, 1)
        begin_as_mean(self.compress, 0.5)

    def forward(self, main: Tensor, auxiliary: Tensor) -> Tensor:
        """Fuse two features (n, C, h, w) into one."""
        return self.compress(torch.cat([main, auxiliary], dim=1))


class CrossAttention(UAFM):
    """`UAFM` with U = 0: plain cross-attention (paper Eq. 8)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        del self.uncertainty, self.source_norm

    def tells_uncertainty(self) -> tuple[nn.Module, ...]:
        """Nothing."""
        return ()

    def uncertain(self, auxiliary: Tensor) -> Tensor:
        """Return 0 (n, 1, h, w)."""
        return torch.zeros_like(auxiliary[:, :1], dtype=in_full(auxiliary))


class NoAttention(CrossAttention):
    """X_n as it is: nothing of `UAFM` is left."""

    def __init__(self, _width: int) -> None:
        nn.Module.__init__(self)

    def forward(self, _main: Tensor, auxiliary: Tensor, _uncertainty: Tensor) -> Tensor:
        """Return X_n (n, C, h, w)."""
        return auxiliary
