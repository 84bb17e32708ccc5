"""CFD's network: the noise in a class vector, seen by what the guide says and by the features of the case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        y = torch.cat([noisy, guide], dim=1)
        for number, (layer, norm, step) in enumerate(zip(self.layers, self.norms, self.steps, strict=True)):
            y = torch.nn.functional.softplus(norm(layer(y) * step(t)))
            if number == 0:
                y = y * self.case(case)
        noise: Tensor = self.out(y)
        return noise


class SideBySide:
    """Denoisers of one shape at once, for draws that differ in y_t alone: as `Denoiser.forward` of each.

    A few large products instead of many small ones; what hangs on the case alone is computed once for all steps.

    Parameters
    ----------
    denoisers : sequence of Denoiser
        One a member.
    cases : sequence of Tensor (n, width)
        Features of the cases, as each member has them.
    """

    def __init__(self, denoisers: Sequence[Denoiser], cases: Sequence[Tensor]) -> None:
        self._gate = torch.stack([one.case(case) for one, case in zip(denoisers, cases, strict=True)])[:, :, None]
        layers = [*zip(*(one.layers for one in denoisers), strict=True)]
        self._layers = [_stacked(own) for own in (*layers, [one.out for one in denoisers])]
        self._norms = [_stacked(own) for own in zip(*(one.norms for one in denoisers), strict=True)]
        self._steps = [
            torch.stack([one.weight for one in own]) for own in zip(*(one.steps for one in denoisers), strict=True)
        ]

    def __call__(self, noisy: Tensor, guide: Tensor, t: int, part: slice = slice(None)) -> Tensor:
        """Return the noise in y_t.

        Parameters
        ----------
        noisy, guide : Tensor (members, n, draws, classes)
            y_t and f.
        t : int
            1 to T.
        part : slice
            Which of the cases these are.
        """
        y = torch.cat([noisy, guide], dim=-1)
        members, n, draws, _ = y.shape
        *inner, out = self._layers
        for number, (layer, norm, step) in enumerate(zip(inner, self._norms, self._steps, strict=True)):
            y = _through(layer, y.view(members, n * draws, -1)) * step[:, t, None]
            weight, bias = norm
            y = torch.nn.functional.layer_norm(y, y.shape[-1:]) * weight[:, None] + bias[:, None]
            y = torch.nn.functional.softplus(y)
            if number == 0:
                y = (y.view(members, n, draws, -1) * self._gate[:, part]).view(members, n * draws, -1)
        return _through(out, y).view(members, n, draws, -1)


def _stacked(modules: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
    """Return weights and biases of modules of one shape."""
    both = [(one.weight, one.bias) for one in modules if isinstance(one, nn.Linear | nn.LayerNorm)]
    return torch.stack([weight for weight, _ in both]), torch.stack([bias for _, bias in both])


def _through(layer: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
    weight, bias = layer
    return torch.baddbmm(bias[:, None], y, weight.transpose(1, 2))
