"""Noise levels of score-based diffusion: the variance-exploding SDE, and variance-preserving ones in its coordinates.

x_t = x_0 + σ_t z (Song et al. 2021, Eq. 9; MIDiffusion §3.4, U_t = 0). A variance-preserving diffusion is the same
process in other coordinates, √ᾱ_t x_t with ᾱ_t = 1 / (1 + σ_t²): what differs is which σ training draws, and how often.
One set of samplers (`diffuscope.diffusion.score_samplers`) therefore runs both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.schedule import Schedule

# Of `NoiseLevels.draw_normal`: the standard deviation of ln σ, the part that is spread evenly, and up to which σ.
_SPREAD, _HIGH, _HIGHEST = 1.6, 0.15, 100.0


@dataclass(frozen=True, eq=False)
class NoiseLevels:
    """σ_t: a table over t in [0, 1], whose logarithm is linear in between.

    Attributes
    ----------
    times, logs : ndarray of shape (m,)
        t and ln σ_t, both rising, float64.
    discrete : bool
        Whether training draws t among `times` alone; else anywhere between them.
    """

    times: NDArray[np.float64]
    logs: NDArray[np.float64]
    discrete: bool
    _tables: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    def sigma(self, t: float) -> float:
        """Return σ_t."""
        return float(np.exp(np.interp(t, self.times, self.logs)))

    def time(self, sigma: float) -> float:
        """Return t of a σ between the smallest and the largest."""
        return float(np.interp(np.log(sigma), self.logs, self.times))

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw t uniformly, for training.

        Parameters
        ----------
        n : int
            How many.
        generator : torch.Generator
            That t is drawn from, on its own device.

        Returns
        -------
        times, sigmas : Tensor of shape (n,)
            float32, on the generator's device.
        """
        device = generator.device
        times, logs = self._table(device)
        if self.discrete:
            index = torch.randint(0, len(times), (n,), generator=generator, device=device)
            t, log = times[index], logs[index]
        else:
            span = self.times[-1] - self.times[0]
            t = self.times[0] + span * torch.rand(n, generator=generator, dtype=times.dtype, device=device)
            after = torch.searchsorted(times, t, right=True).clamp(1, len(times) - 1)
            before = after - 1
            slope = (logs[after] - logs[before]) / (times[after] - times[before])
            log = logs[before] + slope * (t - times[before])
        return t.float(), log.exp().float()

    def draw_normal(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw σ for training where most is to be learned: ln σ ~ N(0, 1.6²), and of 15 % evenly over 1 … 100.

        Of images in [−1, 1]. Levels of regions are decided around σ = 1, and one evaluation at the highest noise must
        know its part as well (Karras et al. 2022, §5, choose a normal distribution of ln σ for training). Stratified:
        each n-th of the distribution has one draw.

        Parameters
        ----------
        n : int
            How many.
        generator : torch.Generator
            That σ is drawn from, on its own device.

        Returns
        -------
        times, sigmas : Tensor of shape (n,)
            float32, on the generator's device.
        """
        device = generator.device
        times, logs = self._table(device)
        drawn = torch.rand(n, generator=generator, dtype=times.dtype, device=device)
        place = (torch.arange(n, device=device) + drawn) / n
        high = place / _HIGH * math.log(_HIGHEST)
        normal = _SPREAD * torch.special.ndtri(((place - _HIGH) / (1.0 - _HIGH)).clamp(1e-6, 1.0 - 1e-6))
        log = torch.where(place < _HIGH, high, normal).clamp(self.logs[0], self.logs[-1])
        after = torch.searchsorted(logs, log, right=True).clamp(1, len(logs) - 1)
        before = after - 1
        slope = (times[after] - times[before]) / (logs[after] - logs[before])
        return (times[before] + slope * (log - logs[before])).float(), log.exp().float()

    def _table(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return `times` and `logs` on a device, copied there once: a copy makes a GPU wait."""
        if device not in self._tables:
            # Metal has no float64.
            dtype = torch.float32 if device.type == "mps" else torch.float64
            self._tables[device] = (
                torch.as_tensor(self.times, dtype=dtype, device=device),
                torch.as_tensor(self.logs, dtype=dtype, device=device),
            )
        return self._tables[device]

    def even(self, steps: int, start: float = 1.0) -> list[float]:
        """Return σ at t = start, start·(1 − 1/steps), … start/steps: the constant dt of Algorithm 1."""
        return [self.sigma(start * (1.0 - i / steps)) for i in range(steps)]

    def shrinking(self, steps: int, start: float = 1.0, rho: float = 7.0) -> list[float]:
        """Return σ from that of `start` to the smallest, evenly spaced in σ^(1/ρ) (Karras et al. 2022, Eq. 5)."""
        high = self.sigma(start) ** (1.0 / rho)
        low = float(np.exp(self.logs[0])) ** (1.0 / rho)
        return [(high + (low - high) * i / max(steps - 1, 1)) ** rho for i in range(steps)]


def variance_exploding(sigma_min: float = 0.01, sigma_max: float = 100.0) -> NoiseLevels:
    """σ_t = σ_min (σ_max / σ_min)^t (Song et al. 2021, appendix C).

    Parameters
    ----------
    sigma_min, sigma_max : float
        0 < σ_min < σ_max, of images in [−1, 1]. At σ_max nothing of an image is to be seen.
    """
    return NoiseLevels(np.array([0.0, 1.0]), np.log([sigma_min, sigma_max]), discrete=False)


def variance_preserving(schedule: Schedule) -> NoiseLevels:
    """σ_t = √((1 − ᾱ_t) / ᾱ_t) at t = 1/T, 2/T, … 1 of a discrete schedule."""
    kept = schedule.alphas_cumprod
    return NoiseLevels(np.arange(1, schedule.T + 1) / schedule.T, 0.5 * np.log((1.0 - kept) / kept), discrete=True)
