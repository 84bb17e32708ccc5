"""Samplers behind one `step` and one clipping rule: DDIM's step is here, the multistep ones are diffusers' schedulers.

DPM-Solver++ (Lu et al. 2022), UniPC (Zhao et al. 2023), DDIM with η (Song et al. 2021), and DDPM (Ho et al. 2020)
as DDIM with η = 1 over all T steps. Timesteps are spaced "trailing" (Lin et al. 2024), so that every sampler begins
at t = T, in pure noise.

The stochastic sampler of few steps is SDE-DPM-Solver++ of first order, which is DDIM with η = 1; DPM-Solver++ is of
second order. Both take trailing steps that shrink with t (t_i = T (1 - i/n)²): even ones leave the last step too long,
which shows in the texture. How much a sampler of few steps paints depends on the weights: the deterministic ones
painted twice the DAB of all T steps with weights that knew little; with better ones they paint about as much as the
truth has, and the stochastic one half of that (``python -m benchmarks samplers``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.names import SAMPLERS
from diffuscope.diffusion.schedule import Schedule
from diffuscope.diffusion.schedulers import scheduler_class
from diffuscope.errors import InputError

#: From x̂_0 and ε, both clipped, t, x_t and the noise, if any, to x at the next t.
Advance = Callable[[Tensor, Tensor, int, Tensor, Tensor | None], Tensor]


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
        self,
        advance: Advance,
        timesteps: Sequence[int],
        schedule: Schedule,
        *,
        needs_noise: bool,
        bounds: tuple[float, float],
    ) -> None:
        self._advance = advance
        self._alphas_cumprod = schedule.alphas_cumprod
        self._bounds = bounds
        self.timesteps = tuple(int(t) for t in timesteps)
        self.needs_noise = needs_noise

    def step(self, eps: Tensor, t: int, x: Tensor, noise: Tensor | None = None) -> Step:
        """Go from x_t to the next smaller t.

        The clean estimate is clipped to the bounds and turned back into ε before the step is made, so that every
        sampler clips by the same rule.

        Parameters
        ----------
        eps, x : Tensor
            Predicted ε and x_t, float32, same shape.
        t : int
            The next of `timesteps`.
        noise : Tensor, optional
            Standard normal, shape of x; required where `needs_noise`, but not at the last step.

        Returns
        -------
        Step
        """
        alpha_bar = float(self._alphas_cumprod[t])
        signal, spread = alpha_bar**0.5, (1.0 - alpha_bar) ** 0.5
        clean = ((x - spread * eps) / signal).clamp(*self._bounds)
        if t == self.timesteps[-1]:
            return Step(sample=clean, clean=clean)
        clipped = (x - signal * clean) / spread
        if self.needs_noise and noise is None:
            raise ValueError("a stochastic sampler needs noise at every step but the last")
        fresh = noise if self.needs_noise else None
        return Step(sample=self._advance(clean, clipped, t, x, fresh), clean=clean)


def check_steps(name: str, schedule: Schedule, steps: int) -> None:
    """Refuse what `make_sampler` would, without what it takes to make one.

    Parameters
    ----------
    name : str
        Of a sampler.
    schedule : Schedule
        The schedule of training.
    steps : int
        Network evaluations.

    Raises
    ------
    InputError
        For an unknown name, or steps out of range.
    """
    if name not in SAMPLERS:
        raise InputError(f"There is no sampler {name!r}; choose one of {', '.join(SAMPLERS)}.")
    if not 1 <= steps <= schedule.T:
        raise InputError(f"{steps} steps were asked for; this model takes 1 to {schedule.T}.")
    if name == "ddpm" and steps != schedule.T:
        raise InputError(
            f"The ddpm sampler takes all {schedule.T} steps of this model, not {steps}; "
            f"leave --steps out, or choose ddim, dpmsolver++ or unipc."
        )


def make_sampler(
    name: str, schedule: Schedule, steps: int, *, eta: float = 0.0, bounds: tuple[float, float] = (-1.0, 1.0)
) -> Sampler:
    """Make a sampler for one batch.

    Parameters
    ----------
    name : {"sde-dpmsolver++", "dpmsolver++", "unipc", "ddim", "ddpm"}
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
    check_steps(name, schedule, steps)
    if name in {"ddim", "ddpm"}:
        eta, times = 1.0 if name == "ddpm" else eta, trailing_timesteps(schedule.T, steps)
        advance = partial(_ddim, schedule.alphas_cumprod, dict(pairwise(times)), eta)
        return Sampler(advance, times, schedule, needs_noise=eta > 0, bounds=bounds)
    scheduler = _multistep(name, schedule, steps)
    return Sampler(
        partial(_scheduled, scheduler),
        scheduler.timesteps,
        schedule,
        needs_noise=name.startswith("sde"),
        bounds=bounds,
    )


def _ddim(
    alphas_cumprod: NDArray[np.float64],
    after: Mapping[int, int],
    eta: float,
    clean: Tensor,
    eps: Tensor,
    t: int,
    x: Tensor,
    noise: Tensor | None,
) -> Tensor:
    """Equation 12 of Song et al. to the t that is evaluated next, which x_t itself does not enter.

    diffusers' goes to t − T // steps. Where `steps` does not divide T that is another t, and x has more noise than the
    network is told.
    """
    del x
    a, b = float(alphas_cumprod[t]), float(alphas_cumprod[after[t]])
    deviation = eta * ((1.0 - b) / (1.0 - a) * (1.0 - a / b)) ** 0.5
    kept = max(1.0 - b - deviation**2, 0.0) ** 0.5  # of a schedule of few steps it can be rounded to below 0
    to = b**0.5 * clean + kept * eps
    return to if noise is None else to + deviation * noise


def _multistep(name: str, schedule: Schedule, steps: int) -> Any:
    common = {
        "num_train_timesteps": schedule.T,
        "trained_betas": schedule.betas.astype(np.float64),
        "prediction_type": "epsilon",
        "timestep_spacing": "trailing",
        "final_sigmas_type": "zero",
    }
    scheduler: Any
    if name == "unipc":
        scheduler = scheduler_class("UniPCMultistepScheduler")(**common, solver_order=2)
        scheduler.set_timesteps(steps)
        scheduler.timesteps = scheduler.timesteps[:steps]  # as in `trailing_timesteps`
        scheduler.sigmas = torch.cat([scheduler.sigmas[:steps], scheduler.sigmas[-1:]])
        scheduler.num_inference_steps = steps
    else:
        scheduler = scheduler_class("DPMSolverMultistepScheduler")(
            **common, algorithm_type=name, solver_order=1 if name.startswith("sde") else 2
        )
        scheduler.set_timesteps(timesteps=shrinking_timesteps(schedule.T, steps))
    return scheduler


def _scheduled(scheduler: Any, clean: Tensor, eps: Tensor, t: int, x: Tensor, noise: Tensor | None) -> Tensor:
    del clean
    options = {} if noise is None else {"variance_noise": noise}
    to: Tensor = scheduler.step(eps, t, x, return_dict=False, **options)[0]
    return to


def trailing_timesteps(T: int, steps: int) -> list[int]:  # noqa: N803
    """Return t_i = T (1 - i/n) for i = 0 … n - 1, 0-based and rounded."""
    even = np.round(np.arange(T, 0, -T / steps)).astype(int) - 1
    # T - n · (T / n) can be 1e-13 in binary: arange counts that as one more step, at t = -1.
    return [int(t) for t in even[:steps]]


def shrinking_timesteps(T: int, steps: int) -> list[int]:  # noqa: N803
    """Return t_i = T (1 - i/n)² for i = 0 … n - 1, 0-based, rounded and strictly falling to 0 or above."""
    even = [T * (1 - i / steps) ** 2 for i in range(steps)]
    return [max(round(t) - 1, steps - 1 - i) for i, t in enumerate(even)]
