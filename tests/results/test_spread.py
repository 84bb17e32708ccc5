"""Intervals of a score hold what they say they hold: of guides of other patients, on laws that are known."""

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
    """Return how often a guide of other patients lies inside: of so many draws of the class a member, of 0 of all.

    Both cohorts lie about the truth as the members lie about their own.
    """
    held = 0
    for _ in range(cases):
        own, other = rng.normal(mean, deviation, 2)
        chances, fresh = (1 / (1 + np.exp(-one)) for one in (rng.normal(own, deviation, members), other))
        drawn = rng.random((members, samples)) < chances[:, None] if samples else exact(chances)
        low, high = over_guides(drawn)
        held += low <= fresh <= high
    return held / cases


def test_without_noise_of_draws_it_is_the_normal_interval_of_two_cohorts(rng: np.random.Generator):
    logits = rng.normal(-0.7, 0.6, 8)
    half = stats.t.ppf(0.95, 7) * logits.std(ddof=1) * (2 + 1 / 8) ** 0.5
    low, high = (1 / (1 + np.exp(-(logits.mean() + side * half))) for side in (-1, 1))
    assert over_guides(exact(1 / (1 + np.exp(-logits)))) == pytest.approx((low, high))


# Eight thousand cases: the standard error is 0.33 %, so that ± 1 % are three.
@pytest.mark.parametrize(("members", "mean", "deviation"), [(5, 0.0, 0.5), (10, -1.5, 1.0)])
def test_a_guide_of_other_patients_lies_inside_nine_times_in_ten(
    rng: np.random.Generator, members: int, mean: float, deviation
):
    found = coverage(rng, members=members, samples=0, mean=mean, deviation=deviation, cases=8000)
    assert found == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("members", [5, 10])
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.2), (0.0, 0.5), (-1.5, 0.5), (1.0, 1.0)])
def test_draws_of_the_class_cost_little(rng: np.random.Generator, members: int, mean: float, deviation: float):
    """Of a hundred draws a member, be the guides far apart or no further than the error of their draws (0.2)."""
    found = coverage(rng, members=members, samples=100, mean=mean, deviation=deviation, cases=1500)
    assert found == pytest.approx(0.9, abs=0.05)


def regress(x: np.ndarray, true: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return coefficients of logistic regressions (n, p) on weighted rows: one a row of weights (m, n)."""
    found = np.zeros((len(weights), x.shape[1]))
    for _ in range(8):
        chance = 1 / (1 + np.exp(-found @ x.T))
        slope = (weights * (true - chance)) @ x - 0.1 * found
        curvature = np.einsum("mn,ni,nj->mij", weights * chance * (1 - chance), x, x) + 0.1 * np.eye(x.shape[1])
        found = found + np.linalg.solve(curvature, slope[..., None])[..., 0]
    return found


def test_regressions_on_other_patients_lie_inside_nine_times_in_ten(rng: np.random.Generator):
    """No law is assumed: members see each patient of one cohort a Poisson number of times, and whoever is new, once."""
    truth, asked = np.array([-0.5, 1.0, -0.7, 0.4]), np.c_[np.ones(20), rng.normal(size=(20, 3))]

    def cohort() -> tuple[np.ndarray, np.ndarray]:
        x = np.c_[np.ones(250), rng.normal(size=(250, 3))]
        return x, rng.random(250) < 1 / (1 + np.exp(-x @ truth))

    fresh = np.array([regress(*cohort(), np.ones((1, 250)))[0] for _ in range(60)]) @ asked.T
    held, narrow = [], []
    for _ in range(60):
        members = regress(*cohort(), rng.poisson(1, (10, 250))) @ asked.T
        for one, others in zip(members.T, fresh.T, strict=True):
            low, high = over_guides(exact(1 / (1 + np.exp(-one))))
            held.append(np.mean((low <= 1 / (1 + np.exp(-others))) & (1 / (1 + np.exp(-others)) <= high)))
            half = stats.t.ppf(0.95, 9) * one.std(ddof=1) * 1.1**0.5
            narrow.append(np.mean(np.abs(others - one.mean()) <= half))
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    assert np.mean(narrow) < 0.82  # what holds a further member of the cohort does not hold a guide of others


def test_members_that_agree_have_hardly_a_width_and_sure_ones_stay_inside():
    low, high = over_guides(np.full((4, 3), 0.3))
    assert low == pytest.approx(0.3) and high == pytest.approx(0.3)
    low, high = over_guides(np.zeros((4, 10)))
    assert 0 < low == high == pytest.approx(0.05)


def test_the_predictive_interval_is_where_the_draws_lie():
    assert predictive(np.linspace(0, 1, 101)) == pytest.approx((0.05, 0.95))
    assert predictive([[0, 0, 0], [0, 0, 1]]) == pytest.approx((0, 0.75))
