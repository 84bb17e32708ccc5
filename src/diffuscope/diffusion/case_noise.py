"""Noise of a whole case: a counter-based normal generator keyed by index."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from diffuscope.diffusion.noise import normal


class CaseNoise:
    """Noise for a case at once: the `diffuscope.systems.base.CaseNoise` that the engine hands to a system.

    A number is a function of (seed, port, sample, step) and its place in the flattened shape: the first numbers of a
    longer draw are those of a shorter one.

    Parameters
    ----------
    seed : int
        Seed of the run.
    device : torch.device or str
        Where the noise goes; it is computed on the CPU, the same bits for every device.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self._seed, self._device = seed, device

    def __call__(self, port: str, *, sample: int, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return standard normal noise of a shape, float32."""
        number = prod(shape)
        # Four channels share one counter: numbers follow each other along them, then along x.
        columns = -(-number // 4)
        drawn = normal(
            seed=self._seed,
            port=port,
            sample=sample,
            step=step,
            channels=4,
            y=0,
            x=0,
            height=1,
            width=columns,
        )
        return drawn[:, 0].T.reshape(-1)[:number].reshape(shape).to(self._device)
