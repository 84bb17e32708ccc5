"""CFD's network: the noise in a class vector, seen by what the guide says and by the features of the case."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

_LAYERS = 3


class Denoiser(nn.Module):
    """CARD's network for classes: each layer is scaled by the step, and the first by the case.

    Parameters
    ----------
    classes : int
        Numbers of a class vector.
    width : int
        Of the case's features and of the layers.
    steps : int
        T.
    """

    def __init__(self, classes: int, width: int, steps: int) -> None:
        super().__init__()
        self.case = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        sizes = [2 * classes, *[width] * _LAYERS]
        self.layers = nn.ModuleList(nn.Linear(one, other) for one, other in pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(_LAYERS))
        scales = [nn.Embedding(steps + 1, width) for _ in range(_LAYERS)]
        for scale in scales:
            nn.init.uniform_(scale.weight)
        self.steps = nn.ModuleList(scales)
        self.out = nn.Linear(width, classes)

    def forward(self, noisy: Tensor, guide: Tensor, case: Tensor, t: Tensor) -> Tensor:
        """Return the noise in y_t.

        Parameters
        ----------
        noisy, guide : Tensor (n, classes)
            y_t and f.
        case : Tensor (n, width)
            Features of the case.
        t : Tensor of int (n,)
            1 to T.
        """
        return self.noise(noisy, guide, self.case(case), t)

    def noise(self, noisy: Tensor, guide: Tensor, gate: Tensor, t: Tensor) -> Tensor:
        """Return the same, of any leading axes that go together, with what `case` makes of the features of cases.

        So many draws of a case, which differ in y_t alone, share what depends on the case and on t.
        """
        y = torch.cat([noisy, guide], dim=-1)
        for number, (layer, norm, step) in enumerate(zip(self.layers, self.norms, self.steps, strict=True)):
            y = torch.nn.functional.softplus(norm(layer(y) * step(t)))
            if number == 0:
                y = y * gate
        noise: Tensor = self.out(y)
        return noise
