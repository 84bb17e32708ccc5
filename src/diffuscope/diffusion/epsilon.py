"""ε-prediction by a network whose raw output is read as a velocity: its loss, and its sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from diffuscope.diffusion.samplers import make_sampler
from diffuscope.diffusion.schedule import Schedule

#: From x_t, t / T and ᾱ_t, the last two of shape (n,), to ε̂ of x_t's shape.
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]


def read_velocity(raw: Tensor, x: Tensor, alpha_bar: Tensor) -> Tensor:
    """ε̂ = √ᾱ·F + √(1−ᾱ)·x_t (Salimans & Ho 2022): bounded in its error of the clean estimate at every t.

    Parameters
    ----------
    raw, x : Tensor of shape (n, c, h, w)
        Output F of the network, and x_t.
    alpha_bar : Tensor of shape (n,)
        ᾱ_t.
    """
    a = alpha_bar.float()[:, None, None, None]
    return a.sqrt() * raw.float() + (1.0 - a).sqrt() * x


def velocity_loss(predict: Predict, clean: Tensor, alpha_bar: Tensor, generator: torch.Generator) -> Tensor:
    """Mean squared error of ε over ᾱ_t, which is that of the velocity; one t and ε an example.

    Parameters
    ----------
    predict : callable
        The network.
    clean : Tensor of shape (n, c, h, w)
        x_0 in [−1, 1].
    alpha_bar : Tensor of shape (T,)
        ᾱ_t of the schedule.
    generator : torch.Generator
        CPU generator that t and ε are drawn from.
    """
    t = torch.randint(0, len(alpha_bar), (len(clean),), generator=generator).to(clean.device)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    a = alpha_bar[t]
    root = a[:, None, None, None]
    noisy = root.sqrt() * clean + (1.0 - root).sqrt() * noise
    error = (predict(noisy, (t + 1).float() / len(alpha_bar), a) - noise).square().mean(dim=(1, 2, 3))
    return (error / a).mean()


def denoise(
    predict: Predict, schedule: Schedule, draw: Callable[[int], Tensor], *, sampler: str, steps: int
) -> Iterator[Tensor]:
    """Yield the clipped clean estimate, in [−1, 1], after each step; the last one is the sample.

    Parameters
    ----------
    predict : callable
        The network.
    schedule : Schedule
        That of training.
    draw : callable
        Standard normal noise of a step; 0 is where sampling begins.
    sampler : str
        A name known to `diffuscope.diffusion.samplers`.
    steps : int
        Network evaluations.
    """
    run = make_sampler(sampler, schedule, steps)
    x = draw(0)
    for i, t in enumerate(run.timesteps, start=1):
        time = torch.full((len(x),), (t + 1) / schedule.T, device=x.device)
        alpha_bar = torch.full((len(x),), float(schedule.alphas_cumprod[t]), device=x.device)
        step = run.step(predict(x, time, alpha_bar), t, x, noise=draw(i) if run.needs_noise else None)
        x = step.sample
        yield step.clean
