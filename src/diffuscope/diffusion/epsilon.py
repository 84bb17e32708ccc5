"""ε-prediction by a network whose raw output is read as a velocity: its loss, and its sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.diffusion.samplers import make_sampler
from diffuscope.diffusion.schedule import Schedule

#: From x_t, t / T and ᾱ_t, the last two of shape (n,) or (1,), to ε̂ of x_t's shape.
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]


def read_velocity(raw: Tensor, x: Tensor, alpha_bar: Tensor) -> Tensor:
    """ε̂ = √ᾱ·F + √(1−ᾱ)·x_t (Salimans & Ho 2022).

    It remains an ε-prediction; but its error in the clean estimate is √(1−ᾱ)·error(F), bounded at every t, where that
    of a bare ε̂ is multiplied by √((1−ᾱ)/ᾱ), 158 at t = T, and bf16 rounding with it.

    Parameters
    ----------
    raw, x : Tensor of shape (n, …)
        Output F of the network, and x_t.
    alpha_bar : Tensor of shape (n,) or (1,)
        ᾱ_t.
    """
    a = alpha_bar.float().view(-1, *(1,) * (x.ndim - 1))
    return a.sqrt() * raw.float() + (1.0 - a).sqrt() * x


def corrupt(
    clean: Tensor, alpha_bar: Tensor, generator: torch.Generator, *, last: int = 0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw one t and one ε for each example.

    The n times are stratified: each n-th part of 1 … T has one of them. As a set they are uniform, and a batch's loss
    tells less of which t it happened to draw.

    Parameters
    ----------
    clean : Tensor of shape (n, c, h, w)
        x_0 in [−1, 1].
    alpha_bar : Tensor of shape (T,)
        ᾱ_t of the schedule.
    generator : torch.Generator
        That t and ε are drawn from, on its own device.
    last : int
        So many examples, the first ones, have t = T instead.

    Returns
    -------
    noisy, noise : Tensor of shape (n, c, h, w)
        x_t and ε.
    time, alpha_bar : Tensor of shape (n,)
        t / T, and ᾱ_t.
    """
    where = generator.device
    number = len(clean)
    part = torch.randperm(number, generator=generator, device=where)
    t = (part + torch.rand(number, generator=generator, device=where)) * (len(alpha_bar) / number)
    t = t.long().clamp_(max=len(alpha_bar) - 1).to(clean.device)
    t[:last] = len(alpha_bar) - 1
    noise = torch.randn(clean.shape, generator=generator, device=where).to(clean.device)
    a = alpha_bar[t]
    root = a.view(-1, *(1,) * (clean.ndim - 1))
    noisy = root.sqrt() * clean + (1.0 - root).sqrt() * noise
    return noisy, noise, (t + 1).float() / len(alpha_bar), a


def epsilon_errors(
    predict: Predict, clean: Tensor, alpha_bar: Tensor, generator: torch.Generator, *, last: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the mean squared error of ε of each example, for one t and one ε each, and ᾱ_t of each.

    Over ᾱ_t it is the error of the velocity.

    Parameters
    ----------
    predict : callable
        The network.
    clean : Tensor of shape (n, c, h, w)
        x_0 in [−1, 1].
    alpha_bar, generator, last
        As in `corrupt`.

    Returns
    -------
    errors, alpha_bar : Tensor of shape (n,)
    """
    noisy, noise, time, a = corrupt(clean, alpha_bar, generator, last=last)
    predicted = predict(noisy, time, a)
    return F.mse_loss(predicted, noise, reduction="none").mean(dim=(1, 2, 3)), a


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
        time = torch.full((1,), (t + 1) / schedule.T, device=x.device)
        alpha_bar = torch.full((1,), float(schedule.alphas_cumprod[t]), device=x.device)
        fresh = draw(i) if run.needs_noise and i < len(run.timesteps) else None
        step = run.step(predict(x, time, alpha_bar), t, x, noise=fresh)
        x = step.sample
        yield step.clean
