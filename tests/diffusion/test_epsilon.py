"""ε read from a velocity: the loss in closed form, and sampling with an exact prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffuscope.diffusion.epsilon import denoise, epsilon_errors, read_velocity
from diffuscope.diffusion.schedule import linear_schedule

SCHEDULE = linear_schedule(100)
ALPHA_BAR = torch.as_tensor(SCHEDULE.alphas_cumprod, dtype=torch.float32)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_true_velocity_reads_as_the_true_noise():
    clean, noise = normal(0, 2, 3, 8, 8), normal(1, 2, 3, 8, 8)
    a = ALPHA_BAR[[3, 99]]
    root = a[:, None, None, None]
    x = root.sqrt() * clean + (1 - root).sqrt() * noise
    velocity = root.sqrt() * noise - (1 - root).sqrt() * clean
    torch.testing.assert_close(read_velocity(velocity, x, a), noise, atol=1e-5, rtol=1e-5)


def test_the_loss_is_the_error_of_the_velocity():
    """The network answers velocity 0, so that the error is the true velocity's mean square."""
    clean = normal(0, 4, 3, 8, 8).clamp(-1, 1)
    errors, alpha_bar = epsilon_errors(
        lambda x, time, a: read_velocity(torch.zeros_like(x), x, a),
        clean,
        ALPHA_BAR,
        torch.Generator().manual_seed(7),
    )
    generator = torch.Generator().manual_seed(7)
    # A quarter of 100 steps each.
    part = torch.randperm(4, generator=generator).numpy()
    t = np.floor((part + torch.rand(4, generator=generator).numpy()) * 25.0).astype(int)
    noise = torch.randn(clean.shape, generator=generator).double().numpy()
    a = SCHEDULE.alphas_cumprod[t][:, None, None, None]
    velocity = np.sqrt(a) * noise - np.sqrt(1 - a) * clean.double().numpy()
    assert float((errors / alpha_bar).mean()) == pytest.approx(np.square(velocity).mean(), rel=1e-4)


@pytest.mark.parametrize(("sampler", "steps"), [("sde-dpmsolver++", 5), ("ddim", 5), ("ddpm", 100)])
def test_an_exact_prediction_leads_to_the_image(sampler: str, steps: int):
    clean = normal(0, 2, 3, 8, 8).clamp(-1, 1)
    times = []

    def predict(x: torch.Tensor, time: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        times.append(float(time[0]))
        root = a[:, None, None, None]
        return (x - root.sqrt() * clean) / (1 - root).sqrt()

    estimates = list(denoise(predict, SCHEDULE, lambda i: normal(50 + i, 2, 3, 8, 8), sampler=sampler, steps=steps))
    assert len(estimates) == len(times) == steps
    assert times[0] == 1.0 and times == sorted(times, reverse=True)
    torch.testing.assert_close(estimates[-1], clean, atol=2e-4, rtol=0)
