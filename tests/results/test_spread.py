"""Intervals of a score hold what they say they hold: of a further guide, on members whose law is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from diffuscope.results.beside.spread import over_guides, predictive


def exact(chances: np.ndarray) -> np.ndarray:
    """Return draws that tell each member's score without error."""
    return np.repeat(chances[:, None], 1000, axis=1)


def coverage(
    rng: np.random.Generator, *, members: int, samples: int, mean: float, deviation: float, cases: int = 4000
) -> float:
    """Return how often a further guide's probability lies inside: of so many draws of the class, of 0 of all."""
    held = 0
    for _ in range(cases):
        chances = 1 / (1 + np.exp(-rng.normal(mean, deviation, members + 1)))
        drawn = rng.random((members, samples)) < chances[:-1, None] if samples else exact(chances[:-1])
        low, high = over_guides(drawn)
        held += low <= chances[-1] <= high
    return held / cases


def test_without_noise_of_draws_it_is_the_normal_prediction_interval(rng: np.random.Generator):
    logits = rng.normal(-0.7, 0.6, 8)
    half = stats.t.ppf(0.95, 7) * logits.std(ddof=1) * (1 + 1 / 8) ** 0.5
    low, high = (1 / (1 + np.exp(-(logits.mean() + side * half))) for side in (-1, 1))
    assert over_guides(exact(1 / (1 + np.exp(-logits)))) == pytest.approx((low, high))


# Eight thousand cases: the standard error is 0.33 %, so that ± 1 % are three.
@pytest.mark.parametrize(("members", "mean", "deviation"), [(5, 0.0, 0.5), (10, -1.5, 1.0)])
def test_a_further_guide_lies_inside_nine_times_in_ten(rng: np.random.Generator, members: int, mean: float, deviation):
    found = coverage(rng, members=members, samples=0, mean=mean, deviation=deviation, cases=8000)
    assert found == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("members", [5, 10])
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.2), (0.0, 0.5), (-1.5, 0.5), (1.0, 1.0)])
def test_draws_of_the_class_cost_little(rng: np.random.Generator, members: int, mean: float, deviation: float):
    """Of a hundred draws a member, be the guides far apart or no further than the error of their draws (0.2)."""
    found = coverage(rng, members=members, samples=100, mean=mean, deviation=deviation, cases=1500)
    assert found == pytest.approx(0.9, abs=0.05)


def test_members_that_agree_have_hardly_a_width_and_sure_ones_stay_inside():
    low, high = over_guides(np.full((4, 3), 0.3))
    assert low == pytest.approx(0.3) and high == pytest.approx(0.3)
    low, high = over_guides(np.zeros((4, 10)))
    assert 0 < low == high == pytest.approx(0.05)


def test_the_predictive_interval_is_where_the_draws_lie():
    assert predictive(np.linspace(0, 1, 101)) == pytest.approx((0.05, 0.95))
    assert predictive([[0, 0, 0], [0, 0, 1]]) == pytest.approx((0, 0.75))
