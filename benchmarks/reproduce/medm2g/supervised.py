"""A supervised writer of reports: a network regresses the text's latent from a picture, and its decoder writes."""

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
        self._system, self._side = system, self._text(system)
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
        assert self._system.tokens is not None
        ids = torch.stack([self._system.tokens.encode(text) for text in reports])
        return torch.cat([self._side.encode(some) for some in ids.split(256)]).float().numpy()

    @torch.inference_mode()
    def write(self, pictures: NDArray[np.float32]) -> list[Any]:
        """Return a report for each patient's pictures (n, inputs, h, w)."""
        latents: Tensor = self.network(torch.from_numpy(pictures))
        return list(self._side.write(latents))

    @staticmethod
    def _text(system: Ablated) -> Any:
        return system.guide.flow(TEXT).side
