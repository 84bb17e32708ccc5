"""Intervals and differences of scores against closed forms, DeLong's own sums, and how often they hold the truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from diffuscope.evaluation.score_intervals import delong, figure_differences, figure_intervals
from diffuscope.evaluation.scores import auroc, score_figures


def cases(rng: np.random.Generator, count: int = 80, *, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    true = rng.random(count) < 0.4
    return true, 1 / (1 + np.exp(-skill * true - rng.normal(size=count)))


def test_the_interval_of_an_accuracy_is_that_of_a_share(rng: np.random.Generator):
    true, found = cases(rng, 300)
    intervals = figure_intervals(true, found, threshold=0.6)
    assert {name: one.value for name, one in intervals.items()} == score_figures(true, found, threshold=0.6)
    value, low, high = intervals["accuracy"]
    assert (high - low) / 2 == pytest.approx(1.96 * (value * (1 - value) / 300) ** 0.5, rel=0.08)
    assert all(one.low <= one.value <= one.high for name, one in intervals.items() if name != "ECE")


def test_a_patient_comes_whole_or_not_at_all(rng: np.random.Generator):
    """Rows copied three times tell no more than once."""
    true, found = cases(rng, 60)
    once = figure_intervals(true, found)["Brier"]
    whose = np.repeat([f"P{number}" for number in range(60)], 3)
    thrice = figure_intervals(np.repeat(true, 3), np.repeat(found, 3), patients=whose)["Brier"]
    taken_apart = figure_intervals(np.repeat(true, 3), np.repeat(found, 3))["Brier"]
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.1)
    assert (taken_apart.high - taken_apart.low) * 3**0.5 == pytest.approx(once.high - once.low, rel=0.1)


def test_resamples_with_one_class_have_no_order():
    true = np.array([True] + [False] * 9)
    value = figure_intervals(true, np.linspace(1, 0, 10), resamples=50)["AUROC"]
    assert value == (1.0, 1.0, 1.0)


def test_delong_is_its_own_sums(rng: np.random.Generator):
    """Every pair by itself, as in Eq. 2–5 of the paper, scores with ties."""
    true, first = cases(rng, 60)
    second = np.round(first + rng.normal(scale=0.2, size=60), 1)
    areas, variance = [], 0.0
    placed = []
    for found in (first, second):
        pairs = np.array([[float(x > y) + 0.5 * (x == y) for y in found[~true]] for x in found[true]])
        areas.append(pairs.mean())
        placed.append((pairs.mean(axis=1), pairs.mean(axis=0)))
    for side in (0, 1):
        both = np.cov(placed[0][side], placed[1][side])
        variance += (both[0, 0] + both[1, 1] - 2 * both[0, 1]) / len(placed[0][side])
    found = delong(true, first, second)
    assert found.interval.value == pytest.approx(areas[0] - areas[1]) == auroc(true, first) - auroc(true, second)
    assert (found.interval.high - found.interval.low) / 2 == pytest.approx(1.959964 * variance**0.5)


def test_delong_and_the_paired_bootstrap_agree_and_find_no_difference_where_there_is_none(rng: np.random.Generator):
    true, first = cases(rng, 200)
    second = first + rng.normal(scale=0.3, size=200)
    exact, drawn = delong(true, first, second).interval, figure_differences(true, first, second)["AUROC"]
    assert drawn == pytest.approx(exact, abs=0.015)
    found = 0
    for _ in range(400):
        true = rng.random(100) < 0.4
        first, second = true + rng.normal(size=(2, 100)) + 0.7 * rng.normal(size=100)
        found += delong(true, first, second).p < 0.05
    assert 0.02 < found / 400 < 0.09


@pytest.mark.parametrize("second", [lambda one: one, lambda one: one**3 / 7])
def test_one_order_is_no_difference(rng: np.random.Generator, second):
    true, first = cases(rng)
    assert delong(true, first, second(first)) == (pytest.approx((0, 0, 0)), 1.0)


def test_differences_take_each_model_s_threshold(rng: np.random.Generator):
    true, first = cases(rng)
    for cut, other in product((0.5, 0.7), repeat=2):
        gaps = figure_differences(true, first, first, threshold=(cut, other), resamples=5)
        want = (
            score_figures(true, first, threshold=cut)["accuracy"]
            - score_figures(true, first, threshold=other)["accuracy"]
        )
        assert gaps["accuracy"].value == pytest.approx(want) and gaps["AUROC"] == (0.0, 0.0, 0.0)
