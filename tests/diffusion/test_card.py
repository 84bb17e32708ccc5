"""CARD's chain against closed forms that are derived another way, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.diffusion.card import Card

CHAINS = {"of the paper's code": Card(), "of many steps": Card(100, 1e-4, 0.2)}


@pytest.mark.parametrize("card", CHAINS.values(), ids=CHAINS)
def test_single_steps_make_the_forward_chain(card: Card):
    """y_t = √α_t y_{t−1} + (1 − √α_t) f + √β_t z, step by step, has the mean and the variance of one step from y_0."""
    response, guide = 1.0, 0.3
    mean, variance = response, 0.0
    for t in range(1, card.steps + 1):
        alpha = float(card.alpha[t])
        mean = math.sqrt(alpha) * mean + (1 - math.sqrt(alpha)) * guide
        variance = alpha * variance + 1 - alpha
        noise = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        y0, f = torch.full_like(noise, response), torch.full_like(noise, guide)
        at = card.forward(y0, f, torch.tensor([t, t]), noise)
        assert float(at[0]) == pytest.approx(mean, abs=1e-12)
        assert float(at[1] - at[0]) ** 2 == pytest.approx(variance, rel=1e-9)


@given(t=st.integers(2, 10), y0=st.floats(-2, 2), f=st.floats(-2, 2), noisy=st.floats(-3, 3))
def test_the_posterior_is_that_of_bayes(t: int, y0: float, f: float, noisy: float):
    """Prior q(y_{t−1} | y_0) times likelihood q(y_t | y_{t−1}), two Gaussians, by their precisions."""
    card = CHAINS["of the paper's code"]
    alpha, before = float(card.alpha[t]), float(card.alpha_bar[t - 1])
    prior_mean, prior = math.sqrt(before) * y0 + (1 - math.sqrt(before)) * f, 1 / (1 - before)
    likely, root = alpha / (1 - alpha), math.sqrt(alpha)
    precision = prior + likely
    mean = (prior * prior_mean + likely * (noisy - (1 - root) * f) / root) / precision
    noise = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    drawn = card.previous(*(torch.full_like(noise, one) for one in (y0, noisy, f)), t, noise)
    assert float(drawn[0]) == pytest.approx(mean, abs=1e-9)
    assert float(drawn[1] - drawn[0]) == pytest.approx(precision**-0.5, rel=1e-9)


@given(t=st.integers(1, 10), seed=st.integers(0, 1000))
def test_the_noise_of_the_chain_gives_back_where_it_began(t: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    y0, f, noise = (torch.randn(4, 2, generator=generator, dtype=torch.float64) for _ in range(3))
    card, at = CHAINS["of the paper's code"], torch.full((4,), t)
    assert torch.allclose(card.clean(card.forward(y0, f, at, noise), f, at, noise), y0, atol=1e-9)


def mean_of_draws(card: Card, probability: float, guide: float, draws: int = 20_000) -> tuple[float, float]:
    """Return mean and the share of undecided draws of a class whose exact denoiser is known: two points, one noise."""
    generator = torch.Generator().manual_seed(0)

    def noise() -> torch.Tensor:
        return torch.randn(draws, 2, generator=generator, dtype=torch.float64)

    classes = torch.eye(2, dtype=torch.float64)
    prior = torch.tensor([1 - probability, probability], dtype=torch.float64).log()
    f = torch.tensor([[1 - guide, guide]], dtype=torch.float64).expand(draws, 2)
    y = f + noise()
    for t in range(card.steps, 0, -1):
        bar = card.alpha_bar[t]
        centres = bar.sqrt() * classes + (1 - bar.sqrt()) * f[:, None]
        likely = -((y[:, None] - centres) ** 2).sum(-1) / (2 * (1 - bar))
        response = (likely + prior).softmax(1) @ classes
        y = card.previous(response, y, f, t, noise())
    return float(y[:, 1].mean()), float(((y[:, 1] > 0.1) & (y[:, 1] < 0.9)).double().mean())


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("guide", [0.5, 0.9])
def test_a_known_distribution_comes_back_whatever_the_guide_says(probability: float, guide: float):
    mean, undecided = mean_of_draws(CHAINS["of many steps"], probability, guide)
    assert mean == pytest.approx(probability, abs=0.012) and undecided < 0.001


@pytest.mark.parametrize(("probability", "found"), [(0.1, 0.066), (0.3, 0.267), (0.5, 0.5), (0.9, 0.935)])
def test_ten_steps_are_too_sure_by_what_the_docs_say(probability: float, found: float):
    """The paper's ten steps, with the exact denoiser: coarse steps pull draws towards the likelier class."""
    mean, _ = mean_of_draws(CHAINS["of the paper's code"], probability, 0.5)
    assert mean == pytest.approx(found, abs=0.012)
