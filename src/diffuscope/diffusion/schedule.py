"""Noise schedules: ᾱ_t is the cumulative product of α_t = 1 − β_t."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """A discrete variance-preserving schedule.

    Attributes
    ----------
    betas : ndarray of shape (T,)
        float64 β_t, in (0, 1).
    """

    betas: NDArray[np.float64]

    @property
    def T(self) -> int:  # noqa: N802  the field's symbol
        """Number of diffusion steps."""
        return len(self.betas)

    @property
    def alphas_cumprod(self) -> NDArray[np.float64]:
        """ᾱ_t, float64 (T,), falling."""
        return np.asarray(np.cumprod(1.0 - self.betas), dtype=np.float64)


def linear_schedule(T: int) -> Schedule:  # noqa: N803
    """Linear β from 1e-4 to 0.02 (Ho et al. 2020), scaled by 1000 / T.

    The scaling keeps ᾱ_T ≈ 4e-5 at any T: unscaled, T = 4000 would spend most of its steps in pure noise,
    and T = 100 would never reach it.

    Parameters
    ----------
    T : int
        Diffusion steps, ≥ 1.

    Returns
    -------
    Schedule
    """
    scale = 1000.0 / T
    return Schedule(np.minimum(np.linspace(1e-4 * scale, 0.02 * scale, T), 0.999))


def scaled_linear_schedule(T: int, first: float, last: float) -> Schedule:  # noqa: N803
    """β whose root is linear, from `first` to `last`: what latent diffusion (Rombach et al. 2022) calls linear.

    Parameters
    ----------
    T : int
        Diffusion steps, ≥ 1.
    first, last : float
        β of the first and of the last step, in (0, 1).

    Returns
    -------
    Schedule
    """
    return Schedule(np.linspace(first**0.5, last**0.5, T) ** 2)
