"""Whether two modalities fit each other, told from the images themselves: ours, not the paper's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_GROUPS = 4


class Agreement(nn.Module):
    """a(y_v, y_n): one logit a tile, added to those of U: U = σ(W_n X_n + a).

    The paper's U is linear in features that a diffusion U-Net has made of x_t and y_n, each px of them normalised. What
    tells that two channels do not belong together is often rare and bright, a nucleus on a vessel say, and is lost
    there: normalised px by px it weighs no more than the background, and under x_t's noise it is hard to see. Group
    norms keep it, since they see a whole tile, as d does.

    It hangs on the conditions alone: it is evaluated once a tile, not once a step.

    Parameters
    ----------
    channels : int
        Of y_v and y_n together.
    widths : sequence of int
        Channels of the levels, each of half the side of the one before; multiples of 4.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(_GROUPS, width), nn.SiLU()]
            layers += [nn.Conv2d(width, width, 3, stride=2, padding=1), nn.GroupNorm(_GROUPS, width), nn.SiLU()]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 1))

    def forward(self, main: Tensor, auxiliary: Tensor) -> Tensor:
        """Return a (n, 1, 1, 1), float32, of y_v and y_n (n, c, h, w) in [−1, 1]."""
        # From 0: a dark background then says nothing, whatever its share of the tile.
        both = 2.0 * (torch.cat([main, auxiliary], dim=1) + 1.0)
        return self.layers(both).float().mean(dim=(2, 3), keepdim=True)
