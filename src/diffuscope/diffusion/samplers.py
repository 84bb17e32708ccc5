"""Samplers on diffusers' schedulers, behind one `step` and one clipping rule.

DPM-Solver++ (Lu et al. 2022), UniPC (Zhao et al. 2023), DDIM with η (Song et al. 2021), and DDPM (Ho et al. 2020)
as DDIM with η = 1 over all T steps. Timesteps are spaced "trailing" (Lin et al. 2024), so that every sampler begins
at t = T, in pure noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffuscope.diffusion.schedule import Schedule
from diffuscope.errors import InputError

SAMPLERS = ("dpmsolver++", "unipc", "ddim", "ddpm")


@dataclass(frozen=True)
class Step:
    """Result of one sampler step.

    Attributes
    ----------
    sample : Tensor
        x at the next (smaller) t; after the last step the clean image.
    clean : Tensor
        The clipped clean estimate x̂_0 that the step was made with.
    """

    sample: Tensor
    clean: Tensor


class Sampler:
    """One run of a sampler over one batch: multistep schedulers hold state, so make a new one a batch.

    Attributes
    ----------
    timesteps : tuple of int
        t of each step, falling, 0-based (t = T − 1 is pure noise).
    needs_noise : bool
        Whether `step` draws fresh noise.
    """

    def __init__(
        self, scheduler: Any, schedule: Schedule, steps: int, *, eta: float, bounds: tuple[float, float]
    ) -> None:
        scheduler.set_timesteps(steps)
        self._scheduler = scheduler
        self._alphas_cumprod = schedule.alphas_cumprod
        self._bounds = bounds
        self._eta = eta
        self.timesteps = tuple(int(t) for t in scheduler.timesteps)
        self.needs_noise = eta > 0.0

    def step(self, eps: Tensor, t: int, x: Tensor, noise: Tensor | None = None) -> Step:
        """Go from x_t to the next smaller t.

        The clean estimate is clipped to the bounds and turned back into ε before the scheduler sees it, so that
        every sampler clips by the same rule.

        Parameters
        ----------
        eps, x : Tensor
            Predicted ε and x_t, float32, same shape.
        t : int
            The next of `timesteps`.
        noise : Tensor, optional
            Standard normal, shape of x; required where `needs_noise`.

        Returns
        -------
        Step
        """
        alpha_bar = float(self._alphas_cumprod[t])
        signal, spread = alpha_bar**0.5, (1.0 - alpha_bar) ** 0.5
        clean = ((x - spread * eps) / signal).clamp(*self._bounds)
        clipped = (x - signal * clean) / spread
        options: dict[str, Any] = {"return_dict": False}
        if self.needs_noise:
            if noise is None:
                raise ValueError("a sampler with η > 0 needs noise at every step")
            options |= {"eta": self._eta, "variance_noise": noise}
        last = t == self.timesteps[-1]
        sample = clean if last else self._scheduler.step(clipped, t, x, **options)[0]
        return Step(sample=sample, clean=clean)


def make_sampler(
    name: str, schedule: Schedule, steps: int, *, eta: float = 0.0, bounds: tuple[float, float] = (-1.0, 1.0)
) -> Sampler:
    """Make a sampler for one batch.

    Parameters
    ----------
    name : {"dpmsolver++", "unipc", "ddim", "ddpm"}
        See the module.
    schedule : Schedule
        The schedule of training.
    steps : int
        Network evaluations, 1 … T; "ddpm" takes exactly T.
    eta : float
        η of DDIM in [0, 1]: 0 is deterministic, 1 has DDPM's posterior variance. Others ignore it.
    bounds : tuple of float
        Range of the clean image.

    Returns
    -------
    Sampler

    Raises
    ------
    InputError
        For an unknown name, or steps out of range.
    """
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler

    if name not in SAMPLERS:
        raise InputError(f"There is no sampler {name!r}; choose one of {', '.join(SAMPLERS)}.")
    if not 1 <= steps <= schedule.T:
        raise InputError(f"{steps} steps were asked for; this model takes 1 to {schedule.T}.")
    if name == "ddpm" and steps != schedule.T:
        raise InputError(
            f"The ddpm sampler takes all {schedule.T} steps of this model, not {steps}; "
            f"leave --steps out, or choose ddim, dpmsolver++ or unipc."
        )
    common = {
        "num_train_timesteps": schedule.T,
        "trained_betas": schedule.betas.astype(np.float64),
        "prediction_type": "epsilon",
        "timestep_spacing": "trailing",
    }
    scheduler: Any
    if name == "dpmsolver++":
        scheduler = DPMSolverMultistepScheduler(
            **common, algorithm_type="dpmsolver++", solver_order=2, final_sigmas_type="zero"
        )
    elif name == "unipc":
        scheduler = UniPCMultistepScheduler(**common, solver_order=2, final_sigmas_type="zero")
    else:
        scheduler = DDIMScheduler(**common, clip_sample=False, set_alpha_to_one=True)
    if isinstance(scheduler, DDIMScheduler):
        # diffusers keeps float32 products of α; at T = 4000 they are off in the fourth digit where ᾱ is small.
        scheduler.alphas_cumprod = torch.from_numpy(schedule.alphas_cumprod)  # type: ignore[attr-defined]
    return Sampler(
        scheduler,
        schedule,
        steps,
        eta=1.0 if name == "ddpm" else eta if name == "ddim" else 0.0,
        bounds=bounds,
    )
