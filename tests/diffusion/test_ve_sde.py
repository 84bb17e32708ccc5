"""Noise levels and score samplers against Gaussian data, whose score, ODE and samples have closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from diffuscope.diffusion.epsilon import denoise as denoise_vp
from diffuscope.diffusion.noise import TileNoise
from diffuscope.diffusion.schedule import linear_schedule
from diffuscope.diffusion.score_samplers import SCORE_SAMPLERS, draw_sample, levels_of
from diffuscope.diffusion.ve_sde import NoiseLevels, variance_exploding, variance_preserving
from diffuscope.errors import InputError

MEAN, SD = 0.3, 0.2
VE = variance_exploding()
VP = variance_preserving(linear_schedule(200))
VP_1000 = variance_preserving(linear_schedule(1000))


def exact(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """D of the ideal network for data ~ N(MEAN, SD²)."""
    return MEAN + SD**2 / (SD**2 + sigma**2) * (x - MEAN)


def numbers(n: int, seed: int = 0):
    """Fresh standard normal noise by number."""
    return lambda step: torch.randn(n, generator=torch.Generator().manual_seed(1000 * seed + step), dtype=torch.float64)


def sample(sampler: str, steps: int, *, levels: NoiseLevels = VE, n: int = 20_000, **options: object) -> torch.Tensor:
    *_, last = draw_sample(exact, levels, numbers(n), sampler=sampler, steps=steps, **options)
    return last


def test_ve_levels_are_geometric_and_vp_levels_those_of_the_schedule():
    levels = variance_exploding(0.01, 100.0)
    assert [levels.sigma(t) for t in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.01, 0.1, 1.0, 100.0])
    assert levels.time(1.0) == pytest.approx(0.5)
    schedule = linear_schedule(200)
    for index in (0, 77, 199):
        kept = schedule.alphas_cumprod[index]
        # x_t / √ᾱ = x_0 + σ z
        assert VP.sigma((index + 1) / 200) == pytest.approx(((1 - kept) / kept) ** 0.5)
        assert VP.time(VP.sigma((index + 1) / 200)) == pytest.approx((index + 1) / 200)


@pytest.mark.parametrize("levels", [VE, VP])
def test_training_draws_t_evenly(levels: NoiseLevels):
    times, sigmas = levels.draw(4000, torch.Generator().manual_seed(0))
    assert np.abs(np.quantile(times.numpy(), [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.03
    for t, sigma in list(zip(times.tolist(), sigmas.tolist(), strict=True))[:50]:
        assert levels.sigma(t) == pytest.approx(sigma, rel=1e-4)
    if levels.discrete:
        assert set((times * 200).round().int().tolist()) <= set(range(1, 201))


@pytest.mark.parametrize(
    ("sampler", "steps", "levels"),
    [
        ("euler-maruyama", 1000, VE),
        ("euler-maruyama", 1000, VP),
        ("predictor-corrector", 600, VE),
        ("probability-flow", 79, VE),
        ("dpmsolver++", 40, VE),
        ("dpmsolver++", 40, VP),
        ("sde-dpmsolver++", 400, VE),
        ("ancestral", 1000, VE),
        ("ddpm", 1000, VP_1000),
    ],
)
def test_each_sampler_draws_a_gaussian_whose_score_it_is_given(sampler: str, steps: int, levels: NoiseLevels):
    x = sample(sampler, steps, levels=levels)
    # 20,000 draws know the mean to 0.0014. The last step goes to the clean estimate, whose spread is a little less.
    assert float(x.mean()) == pytest.approx(MEAN, abs=0.008)
    assert float(x.std()) == pytest.approx(SD, rel=0.03)


@pytest.mark.parametrize("steps", [1, 2, 7, 8, 25])
@pytest.mark.parametrize("sampler", [name for name in SCORE_SAMPLERS if name != "ddpm"])
def test_steps_are_network_evaluations(sampler: str, steps: int):
    seen: list[float] = []

    def counted(x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append(sigma)
        return exact(x, sigma)

    assert len(list(draw_sample(counted, VE, numbers(3), sampler=sampler, steps=steps))) == len(seen) == steps
    assert seen[0] == pytest.approx(100.0) and all(a >= b for a, b in itertools.pairwise(seen))


def test_a_step_of_euler_maruyama_is_algorithm_1():
    """F ← F + ε s + √ε z with ε = σ_t² − σ_{t−dt}², written out with the score in numpy."""
    states: list[tuple[np.ndarray, float]] = []

    def seen(x: torch.Tensor, sigma: float) -> torch.Tensor:
        states.append((x.numpy().copy(), sigma))
        return exact(x, sigma)

    draw = numbers(50, seed=3)
    *_, last = draw_sample(seen, VE, draw, sampler="euler-maruyama", steps=6)
    np.testing.assert_allclose(states[0][0], 100.0 * draw(0).numpy())
    for number, ((x, sigma), (following, to)) in enumerate(itertools.pairwise(states), start=1):
        step = sigma**2 - to**2
        score = -(x - MEAN) / (SD**2 + sigma**2)
        np.testing.assert_allclose(following, x + step * score + step**0.5 * draw(number).numpy(), atol=1e-9)
    x, sigma = states[-1]
    # No noise is added where nothing is left to remove it: x + σ² s.
    np.testing.assert_allclose(last.numpy(), x - sigma**2 * (x - MEAN) / (SD**2 + sigma**2), atol=1e-12)


def analytic(start: torch.Tensor, high: float, low: float) -> torch.Tensor:
    """The probability-flow ODE's solution at σ = low, and from there the clean estimate as samplers end."""
    x = MEAN + (start - MEAN) * math.sqrt((SD**2 + low**2) / (SD**2 + high**2))
    return exact(x, low)


@pytest.mark.parametrize(("sampler", "order"), [("probability-flow", 2), ("dpmsolver++", 2)])
def test_the_ode_is_solved_and_by_the_order_of_its_method(sampler: str, order: int):
    start = 100.0 * numbers(200)(0)
    expected = analytic(start, 100.0, 0.01)
    errors = {}
    for intervals in (40, 80, 160):
        steps = 2 * intervals + 1 if sampler == "probability-flow" else intervals + 1
        errors[intervals] = float((sample(sampler, steps, n=200) - expected).abs().max())
    assert errors[160] < 1e-3
    for coarse, fine in ((40, 80), (80, 160)):
        assert math.log2(errors[coarse] / errors[fine]) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize(("sampler", "v"), [("sde-dpmsolver++", 0.0), ("ancestral", 0.2)])
def test_the_ancestral_step_has_the_posterior_s_variance_or_one_between_it_and_algorithm_1_s(sampler: str, v: float):
    """q(x_u | x_σ, x_0) of x_u = x_0 + u z: a Gaussian's product rule."""
    x, clean = torch.full((1,), 3.0, dtype=torch.float64), torch.full((1,), 0.4, dtype=torch.float64)
    seen: list[torch.Tensor] = []

    def constant(at: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append(at)
        return clean

    noises = {0: x / 100.0, 1: torch.ones(1, dtype=torch.float64), 2: torch.zeros(1, dtype=torch.float64)}
    list(draw_sample(constant, VE, noises.__getitem__, sampler=sampler, steps=3))
    sigma, to = levels_of(sampler, VE, 3)[:2]
    precision = 1 / to**2 + 1 / (sigma**2 - to**2)
    mean = (0.4 / to**2 + 3.0 / (sigma**2 - to**2)) / precision
    variance = math.exp(v * math.log(sigma**2 - to**2) + (1 - v) * math.log(1 / precision))
    assert float(seen[1]) == pytest.approx(mean + variance**0.5, rel=1e-9)


def test_ddpm_over_vp_levels_is_ddpm_in_its_own_coordinates():
    """The house's sampler on diffusers, given the same network and the same noise."""
    schedule, draw = linear_schedule(50), numbers(64, seed=5)
    levels = variance_preserving(schedule)

    def small(step: int) -> torch.Tensor:
        return draw(step).float()[None, None, None]

    def epsilon(x: torch.Tensor, time: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
        a = float(alpha_bar)
        clean = exact(x / a**0.5, ((1 - a) / a) ** 0.5)
        return (x - a**0.5 * clean) / (1 - a) ** 0.5

    *_, expected = denoise_vp(epsilon, schedule, small, sampler="ddpm", steps=50)
    # There pure noise has unit size, here σ_T: the signal that is left of 0 is nothing.
    first = (1.0 + levels.sigma(1.0) ** 2) ** 0.5 / levels.sigma(1.0)
    run = draw_sample(
        lambda x, sigma: exact(x, sigma).clamp(-1, 1),
        levels,
        lambda step: small(step) * (first if step == 0 else 1.0),
        sampler="ddpm",
        steps=50,
    )
    *_, found = run
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("start", [0.3, 0.6])
def test_from_the_source_sampling_begins_at_the_source_noised(start: float):
    """SDEdit: x = source + σ(t_0) z."""
    source = torch.full((40_000,), 0.9, dtype=torch.float64)
    seen: list[tuple[torch.Tensor, float]] = []

    def noted(x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append((x, sigma))
        return exact(x, sigma)

    list(draw_sample(noted, VE, numbers(40_000), sampler="dpmsolver++", steps=5, source=source, start=start))
    x, sigma = seen[0]
    assert sigma == pytest.approx(0.01 * 1e4**start)
    assert float(x.mean()) == pytest.approx(0.9, abs=5 * sigma / 200)
    assert float(x.std()) == pytest.approx(sigma, rel=0.02)
    # Later starts keep more of the source: the ODE's own solution.
    *_, last = draw_sample(exact, VE, numbers(40_000), sampler="dpmsolver++", steps=60, source=source, start=start)
    ratio = SD / math.sqrt(SD**2 + sigma**2)
    assert float(last.mean()) == pytest.approx(MEAN + ratio * 0.6, abs=0.01)


@pytest.mark.parametrize("sampler", [name for name in SCORE_SAMPLERS if name != "ddpm"])
def test_what_is_computed_of_a_pixel_does_not_depend_on_its_tile(sampler: str):
    results = {}
    for place, side in (((0, 0), 24), ((8, 5), 12)):
        noise = TileNoise(4, [place], side, side)
        run = draw_sample(
            exact, VE, lambda i, noise=noise: noise("ct", sample=0, step=i, channels=1), sampler=sampler, steps=6
        )
        *_, results[side] = run
    np.testing.assert_allclose(results[12][0, 0], results[24][0, 0, 8:20, 5:17], atol=1e-5)


def test_normal_draws_are_those_of_the_mixture_they_are_stratified_over():
    from scipy import stats

    times, sigmas = (one.double().numpy() for one in VE.draw_normal(400, torch.Generator().manual_seed(0)))
    logs = np.sort(np.log(sigmas))

    def mixture(x: np.ndarray) -> np.ndarray:
        return 0.85 * stats.norm.cdf(x, scale=1.6) + 0.15 * np.clip(x / np.log(100.0), 0, 1)

    # Of 400 independent draws the largest distance is about 0.06; here each 400th of either part has one.
    assert stats.kstest(logs, mixture).statistic < 0.01
    np.testing.assert_allclose(times, [VE.time(one) for one in sigmas], atol=1e-6)
    assert times.min() >= 0 and times.max() <= 1


def test_noise_shared_along_z_is_one_slice_s_everywhere():
    noise = TileNoise(1, [(5, 0, 0), (9, 0, 0)], 8, 8)
    shared, own = (noise("ct", sample=0, step=2, channels=1, along_z=flag) for flag in (True, False))
    assert torch.equal(shared[0], shared[1]) and not torch.equal(own[0], own[1])
    patches = TileNoise(1, [(5, 0, 0)], 8, 8, depth=3)("ct", sample=0, step=2, channels=1, along_z=True)
    assert patches.shape == (1, 1, 3, 8, 8)
    for number in range(3):
        assert torch.equal(patches[0, :, number], shared[0])


@pytest.mark.parametrize(
    ("sampler", "steps", "start", "levels"),
    [
        ("unipc", 10, 1.0, VE),
        ("ddpm", 200, 1.0, VE),
        ("ddpm", 100, 1.0, VP),
        ("dpmsolver++", 0, 1.0, VE),
        ("dpmsolver++", 5, 0.0, VE),
    ],
)
def test_what_a_sampler_cannot_do_is_refused(sampler: str, steps: int, start: float, levels: NoiseLevels):
    with pytest.raises(InputError):
        levels_of(sampler, levels, steps, start)
