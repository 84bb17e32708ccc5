"""Samplers against the papers' formulae, and against data whose score is known in closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.diffusion.samplers import SAMPLERS, Sampler, check_steps, make_sampler, shrinking_timesteps
from diffuscope.diffusion.schedule import Schedule, linear_schedule
from diffuscope.errors import InputError

WIDE = (-100.0, 100.0)


def exact_eps(x: torch.Tensor, alpha_bar: float, mean: float, sd: float) -> torch.Tensor:
    """ε̂ of the ideal network for data ~ N(mean, sd²): the posterior mean of ε given x_t."""
    variance = alpha_bar * sd**2 + 1 - alpha_bar
    return (1 - alpha_bar) ** 0.5 * (x - alpha_bar**0.5 * mean) / variance


def draw(name: str, steps: int, *, T: int = 1000, n: int = 20_000, mean: float = 0.3, sd: float = 0.2) -> torch.Tensor:  # noqa: N803
    schedule = linear_schedule(T)
    sampler = make_sampler(name, schedule, steps, bounds=WIDE)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, n, generator=generator)
    for t in sampler.timesteps:
        noise = torch.randn(1, 1, n, generator=generator) if sampler.needs_noise else None
        step = sampler.step(exact_eps(x, schedule.alphas_cumprod[t], mean, sd), t, x, noise)
        x = step.sample
    return x


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("sde-dpmsolver++", 500),
        ("dpmsolver++", 250),
        ("unipc", 250),
        ("ddim", 500),
        ("ddpm", 1000),
    ],
)
def test_each_sampler_draws_a_gaussian_whose_score_it_is_given(name: str, steps: int):
    x = draw(name, steps)
    # 20,000 draws know the mean to 0.2 / √20000 = 0.0014
    assert float(x.mean()) == pytest.approx(0.3, abs=0.008)
    assert float(x.std()) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("name", ["sde-dpmsolver++", "dpmsolver++", "unipc", "ddim"])
def test_more_steps_come_nearer(name: str):
    error = [abs(float(draw(name, steps).std()) - 0.2) for steps in (5, 40)]
    assert error[1] < error[0] / 3


@pytest.mark.parametrize("name", [name for name in SAMPLERS if not name.endswith("dpmsolver++")])
def test_even_spacing_is_trailing(name: str):
    steps = 1000 if name == "ddpm" else 8
    times = make_sampler(name, linear_schedule(1000), steps).timesteps
    assert times == tuple(int(t) for t in np.round(np.arange(1000, 0, -1000 / steps)) - 1)


def one_too_many(T: int) -> list[int]:  # noqa: N803
    """Step counts whose T / steps is rounded down in binary, so that one more step begins above 0."""
    return [steps for steps in range(1, T + 1) if len(np.arange(T, 0, -T / steps)) > steps]


@pytest.mark.parametrize("name", ["unipc", "ddim"])
@pytest.mark.parametrize("T", [250, 1000, 2000, 4000])
def test_steps_that_leave_a_remainder_in_binary_end_at_0_or_above(name: str, T: int):  # noqa: N803
    counts = one_too_many(T)
    assert counts
    for steps in counts:
        times = make_sampler(name, linear_schedule(T), steps).timesteps
        assert (len(times), times[0]) == (steps, T - 1)
        assert times[-1] >= 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "ddpm"])
@pytest.mark.parametrize("T", [250, 1000])
def test_every_number_of_steps_falls_from_pure_noise_to_0_or_above(name: str, T: int):  # noqa: N803
    schedule = linear_schedule(T)
    for steps in range(1, T + 1):
        times = make_sampler(name, schedule, steps).timesteps
        assert (len(times), times[0]) == (steps, T - 1)
        assert times[-1] >= 0
        assert all(a > b for a, b in itertools.pairwise(times))


def test_unipc_draws_as_well_with_steps_that_leave_a_remainder():
    for steps in (61, 103):
        assert float(draw("unipc", steps).std()) == pytest.approx(float(draw("unipc", steps + 1).std()), rel=0.01)


@given(st.integers(1, 4000).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_shrinking_steps_begin_in_pure_noise_and_fall_to_the_end(case: tuple[int, int]):
    T, steps = case  # noqa: N806
    times = shrinking_timesteps(T, steps)
    assert len(times) == steps
    assert times[0] == T - 1
    assert times[-1] >= 0
    assert all(a > b for a, b in itertools.pairwise(times))


def test_both_of_dpmsolver_take_shrinking_steps():
    for name in ("dpmsolver++", "sde-dpmsolver++"):
        assert make_sampler(name, linear_schedule(1000), 8).timesteps == tuple(shrinking_timesteps(1000, 8))


def test_sde_dpmsolver_is_equation_12_of_song_et_al_with_eta_1():
    schedule = linear_schedule(1000)
    sampler = make_sampler("sde-dpmsolver++", schedule, 10)
    assert sampler.timesteps == (999, 809, 639, 489, 359, 249, 159, 89, 39, 9)
    generator = torch.Generator().manual_seed(2)
    clean, eps, noise = (torch.randn(64, generator=generator) for _ in range(3))
    clean = clean.clamp(-1, 1)
    for t, before in itertools.pairwise(sampler.timesteps):
        now, then = schedule.alphas_cumprod[t], schedule.alphas_cumprod[before]
        sd = ((1 - then) / (1 - now) * (1 - now / then)) ** 0.5
        x = now**0.5 * clean + (1 - now) ** 0.5 * eps
        got = sampler.step(eps, t, x, noise).sample
        expected = then**0.5 * clean + (1 - then - sd**2) ** 0.5 * eps + sd * noise
        torch.testing.assert_close(got, expected, rtol=0, atol=2e-3)


def test_ddpm_is_the_posterior_of_ho_et_al():
    schedule = linear_schedule(50)
    sampler = make_sampler("ddpm", schedule, 50)
    generator = torch.Generator().manual_seed(1)
    clean, eps, noise = (torch.randn(64, generator=generator).double() for _ in range(3))
    clean = clean.clamp(-1, 1)
    ab = schedule.alphas_cumprod
    for t in (49, 20, 1):
        x = ab[t] ** 0.5 * clean + (1 - ab[t]) ** 0.5 * eps
        beta, before = schedule.betas[t], ab[t - 1]
        mean = before**0.5 * beta / (1 - ab[t]) * clean + (1 - beta) ** 0.5 * (1 - before) / (1 - ab[t]) * x
        sd = ((1 - before) / (1 - ab[t]) * beta) ** 0.5
        step = sampler.step(eps, t, x, noise)
        torch.testing.assert_close(step.clean, clean, rtol=0, atol=1e-6)
        torch.testing.assert_close(step.sample, mean + sd * noise, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_is_equation_12_of_song_et_al(eta: float):
    schedule = linear_schedule(1000)
    sampler = make_sampler("ddim", schedule, 10, eta=eta)
    t, before = sampler.timesteps[3], sampler.timesteps[4]
    generator = torch.Generator().manual_seed(2)
    x, eps, noise = (torch.randn(64, generator=generator).double() for _ in range(3))
    a, b = schedule.alphas_cumprod[t], schedule.alphas_cumprod[before]
    clean = ((x - (1 - a) ** 0.5 * eps) / a**0.5).clamp(-1, 1)
    direction = (x - a**0.5 * clean) / (1 - a) ** 0.5
    sd = eta * ((1 - b) / (1 - a)) ** 0.5 * (1 - a / b) ** 0.5
    expected = b**0.5 * clean + (1 - b - sd**2) ** 0.5 * direction + sd * noise
    torch.testing.assert_close(sampler.step(eps, t, x, noise).sample, expected, rtol=1e-5, atol=1e-5)


def drawn_sd(sampler: Sampler, schedule: Schedule, mean: float, sd: float) -> float:
    """The deviation of samples of N(mean, sd²), exactly: a sampler that does not clip is linear in what is drawn.

    Pixel 0 draws nothing but zeros, pixel i a 1 in its i-th draw alone: by how much it differs is that draw's part.
    """
    x = torch.zeros(len(sampler.timesteps) + 1)
    x[1] = 1.0
    for number, t in enumerate(sampler.timesteps, start=2):
        noise = torch.zeros_like(x)
        noise[number:][:1] = 1.0
        x = sampler.step(exact_eps(x, schedule.alphas_cumprod[t], mean, sd), t, x, noise).sample
    return float((x[1:] - x[0]).double().square().sum().sqrt())


def expected_sd(schedule: Schedule, steps: int, eta: float, sd: float) -> float:
    """The same by the kernel of Song et al., in float64: the variance of x at each t, from a joint normal of x_0, x_t.

    The mean of x_0 given x_t is `gain` times x_t and what does not vary.
    """
    T = schedule.T  # noqa: N806
    times = [round(T - i * T / steps) - 1 for i in range(steps)]
    variance = 1.0
    for t, before in itertools.zip_longest(times, times[1:]):
        a, b = schedule.alphas_cumprod[t], 1.0 if before is None else schedule.alphas_cumprod[before]
        gain = a**0.5 * sd**2 / (a * sd**2 + 1 - a)
        fresh = eta**2 * (1 - b) / (1 - a) * (1 - a / b)
        slope = b**0.5 * gain + ((1 - b - fresh) / (1 - a)) ** 0.5 * (1 - a**0.5 * gain)
        variance = slope**2 * variance + fresh
    return float(variance**0.5)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("T", "steps"),
    [
        *((1000, steps) for steps in (1, 10, 60, 61, 125, 150, 334, 501, 600, 999, 1000)),
        *((250, 7), (250, 249), (4000, 1001)),
    ],
)
def test_ddim_goes_to_the_noise_that_the_network_is_told_next(T: int, steps: int, eta: float):  # noqa: N803
    schedule = linear_schedule(T)
    sampler = make_sampler("ddim", schedule, steps, eta=eta, bounds=WIDE)
    expected = expected_sd(schedule, steps, eta, 0.3)
    assert drawn_sd(sampler, schedule, 0.1, 0.3) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    if steps > 300:
        # Of many steps it is the data's own, whether they divide T or not.
        assert expected == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_ddim_is_that_of_diffusers_where_steps_divide(eta: float):
    schedule = linear_schedule(1000)
    sampler = make_sampler("ddim", schedule, 50, eta=eta)
    other = DDIMScheduler(
        trained_betas=schedule.betas, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    other.alphas_cumprod = torch.from_numpy(schedule.alphas_cumprod)
    other.set_timesteps(50)
    assert sampler.timesteps == tuple(int(t) for t in other.timesteps)
    generator = torch.Generator().manual_seed(4)
    for t in sampler.timesteps:
        clean, eps, noise = torch.randn(3, 64, generator=generator)
        a = schedule.alphas_cumprod[t]
        x = a**0.5 * clean.clamp(-0.9, 0.9) + (1 - a) ** 0.5 * eps  # within the bounds, where nothing is clipped
        expected = other.step(eps, t, x, eta=eta, variance_noise=noise).prev_sample
        torch.testing.assert_close(sampler.step(eps, t, x, noise).sample, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("T", [4, 10, 13])
def test_ddpm_of_a_schedule_of_few_steps_draws_numbers(T: int):  # noqa: N803
    schedule = linear_schedule(T)
    sampler = make_sampler("ddpm", schedule, T)
    x = torch.ones(8)
    for t in sampler.timesteps:
        x = sampler.step(x, t, x, torch.ones(8)).sample
        assert torch.isfinite(x).all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_clean_estimate_is_clipped_and_the_last_one_is_the_sample(name: str):
    schedule = linear_schedule(20)
    sampler = make_sampler(name, schedule, 20 if name == "ddpm" else 6)
    x = torch.randn(1, 1, 256, generator=torch.Generator().manual_seed(3)) * 3
    for t in sampler.timesteps:
        step = sampler.step(-x, t, x, torch.zeros_like(x))
        assert step.clean.abs().max() <= 1
        x = step.sample
    torch.testing.assert_close(x, step.clean, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "steps", "words"),
    [("euler", 5, "no sampler"), ("ddim", 0, "1 to 20"), ("ddim", 21, "1 to 20"), ("ddpm", 5, "all 20 steps")],
)
def test_what_a_schedule_cannot_do_is_said(name: str, steps: int, words: str):
    for refuse in (make_sampler, check_steps):
        with pytest.raises(InputError, match=words):
            refuse(name, linear_schedule(20), steps)
