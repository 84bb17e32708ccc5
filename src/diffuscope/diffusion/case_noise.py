"""Noise of a whole case: a counter-based normal generator keyed by index."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from diffuscope.diffusion.noise import normal

# Numbers that are kept in all: of systems that draw few, each case after the first asks for the same again.
_KEPT = 10_000_000


class CaseNoise:
    """Noise for a case at once: the `diffuscope.systems.base.CaseNoise` that the engine hands to a system.

    A number is a function of (seed, port, sample, step) and its place in the flattened shape: the first numbers of a
    longer draw are those of a shorter one. What was drawn is remembered, as far as it is little: leave it as it is.

    Parameters
    ----------
    seed : int
        Seed of the run.
    device : torch.device or str
        Where the noise goes; it is computed on the CPU, the same bits for every device.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self._seed, self._device = seed, device
        self._drawn: dict[tuple[str, int, int, tuple[int, ...]], Tensor] = {}
        self._room = _KEPT

    def __call__(self, port: str, *, sample: int, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return standard normal noise of a shape, float32."""
        key = (port, sample, step, tuple(shape))
        if key not in self._drawn:
            drawn = self._draw(port, sample, step, shape)
            if drawn.numel() > self._room:
                return drawn
            self._room -= drawn.numel()
            self._drawn[key] = drawn
        return self._drawn[key]

    def _draw(self, port: str, sample: int, step: int, shape: tuple[int, ...]) -> Tensor:
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
