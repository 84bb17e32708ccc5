"""Supervised networks between reports and pictures: each knows the text as the latents of its autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.reproduce.medm2g.networks import Ablated
from diffuscope.systems.medm2g.config import TEXT

_WIDTHS = (32, 64, 96)
# Three times doubled it is 64 px.
_GRID = 8


class Captioner:
    """A network from pictures to the latents of reports, between the encoder and the decoder of round 0.

    Parameters
    ----------
    system : Ablated
        After round 0.
    inputs : int
        Pictures of a patient.
    """

    def __init__(self, system: Ablated, inputs: int) -> None:
        self._system, self._side = system, _text(system)
        latent = system.guide.flow(TEXT).latent[0]
        blocks: list[nn.Module] = []
        for before, after in zip((inputs, *_WIDTHS), _WIDTHS, strict=False):
            blocks += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.network = nn.Sequential(
            *blocks, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * _WIDTHS[-1], 256), nn.SiLU(),
            nn.Linear(256, latent),
        )  # fmt: skip

    @torch.inference_mode()
    def targets(self, reports: Sequence[str]) -> NDArray[np.float32]:
        """Return the latents (n, latent) of reports."""
        return _encoded(self._system, reports)

    @torch.inference_mode()
    def write(self, pictures: NDArray[np.float32]) -> list[Any]:
        """Return a report for each patient's pictures (n, inputs, h, w)."""
        latents: Tensor = self.network(torch.from_numpy(pictures))
        return list(self._side.write(latents))


class Painter(nn.Module):
    """A network from the latents of reports (n, latent) to a picture (n, 1, 64, 64) of 0 … 1.

    Parameters
    ----------
    system : Ablated
        Whose autoencoder of the text is trained.
    """

    def __init__(self, system: Ablated) -> None:
        super().__init__()
        self._system = [system]  # no part of what trains
        last, *rest = reversed(_WIDTHS)
        self._first = nn.Linear(system.guide.flow(TEXT).latent[0], last * _GRID**2)
        blocks: list[nn.Module] = []
        for before, after in zip((last, *rest), (*rest, rest[-1]), strict=True):
            blocks += [nn.GroupNorm(8, before), nn.SiLU(), nn.Upsample(scale_factor=2.0)]
            blocks += [nn.Conv2d(before, after, 3, padding=1)]
        self._blocks = nn.Sequential(*blocks, nn.SiLU(), nn.Conv2d(rest[-1], 1, 3, padding=1), nn.Sigmoid())

    def forward(self, latents: Tensor) -> Tensor:
        """Return pictures."""
        pictures: Tensor = self._blocks(self._first(latents).view(len(latents), -1, _GRID, _GRID))
        return pictures

    def latents(self, reports: Sequence[str]) -> NDArray[np.float32]:
        """Return the latents (n, latent) of reports."""
        return _encoded(self._system[0], reports)


def _text(system: Ablated) -> Any:
    return system.guide.flow(TEXT).side


@torch.inference_mode()
def _encoded(system: Ablated, reports: Sequence[str]) -> NDArray[np.float32]:
    assert system.tokens is not None
    ids = torch.stack([system.tokens.encode(text) for text in reports])
    return torch.cat([_text(system).encode(some) for some in ids.split(256)]).float().numpy()
