"""Intervals and tests against closed forms, every sign tried by hand, and scipy's own."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.statistics import (
    bootstrap_interval,
    compare,
    holm,
    mcnemar,
    paired_t,
    permutation_test,
    wilcoxon,
)


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_the_interval_of_a_normal_mean_is_near_student_s(rng: np.random.Generator, method: str):
    cases = rng.normal(3, 1, size=60)
    interval = bootstrap_interval(cases, level=0.9, method=method)
    low, high = stats.t.interval(0.9, 59, loc=cases.mean(), scale=stats.sem(cases))
    assert interval.value == pytest.approx(cases.mean())
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.03)


def test_the_percentile_interval_is_that_of_resampling_by_hand(rng: np.random.Generator):
    cases = rng.exponential(size=40)
    drawn = rng.choice(cases, size=(20_000, 40)).mean(axis=1)
    interval = bootstrap_interval(cases, method="percentile")
    assert (interval.low, interval.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_intervals_hold_the_truth_as_often_as_they_say(rng: np.random.Generator):
    held = [i.low <= 0 <= i.high for i in (bootstrap_interval(rng.normal(size=40), level=0.8) for _ in range(60))]
    assert 0.6 < np.mean(held) < 0.95


def test_equal_cases_have_no_width_and_any_statistic_goes(rng: np.random.Generator):
    assert bootstrap_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    cases = rng.normal(size=31)
    median = bootstrap_interval(cases, np.median)
    assert median.value == np.median(cases)
    assert median.low < median.value < median.high


def signs(differences: np.ndarray) -> np.ndarray:
    return np.array(list(product([1, -1], repeat=len(differences))))


def test_wilcoxon_is_every_sign_tried(rng: np.random.Generator):
    a, b = rng.normal(size=(2, 9))
    ranks = stats.rankdata(np.abs(a - b))
    sums = signs(a - b) @ ranks
    assert wilcoxon(a, b) == pytest.approx(np.mean(np.abs(sums) >= abs(np.sign(a - b) @ ranks)))


def test_permutation_is_every_sign_tried_and_that_of_scipy(rng: np.random.Generator):
    a, b = rng.normal(size=(2, 9)) + np.array([[0.5], [0.0]])
    every = np.abs(signs(a - b) @ (a - b)) >= abs(np.sum(a - b)) - 1e-9
    assert permutation_test(a, b) == pytest.approx(every.mean())
    theirs = stats.permutation_test((a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf)
    assert permutation_test(a, b) == pytest.approx(theirs.pvalue)


def test_permutation_by_drawn_swaps_nears_student_s_test_and_is_never_zero(rng: np.random.Generator):
    a = rng.normal(size=60)
    b = a + rng.normal(0.25, 1, size=60)
    assert permutation_test(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)
    assert permutation_test(a, a + 1 + 0.01 * b) == pytest.approx(1 / 10_000)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 12))
@pytest.mark.slow
def test_which_model_is_first_does_not_matter(seed: int, n: int):
    a, b = np.random.default_rng(seed).integers(0, 4, (2, n)).astype(float)
    for test in (wilcoxon, permutation_test):
        assert test(a, b) == pytest.approx(test(b, a))
        assert 0 < test(a, b) <= 1
        assert test(a, a) == 1.0


def test_compare_tells_all_three(rng: np.random.Generator):
    a = rng.normal(size=12)
    b = a - 1 + 0.1 * rng.normal(size=12)
    found = compare(a, b)
    assert found.difference.low < 1 < found.difference.high
    assert found.difference == bootstrap_interval(a - b)
    assert (found.wilcoxon_p, found.permutation_p) == (wilcoxon(a, b), permutation_test(a, b))
    assert found.permutation_p == 2 / 2**12


def test_holm_on_a_worked_example():
    # 4 × 0.005, 3 × 0.01, 2 × 0.03, 1 × 0.04 raised to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(p=st.lists(st.floats(0, 1), max_size=8), level=st.floats(0.001, 0.5))
def test_holm_rejects_what_his_steps_reject(p: list[float], level: float):
    adjusted = holm(p)
    rejected = set()
    for step, i in enumerate(np.argsort(p, kind="stable")):
        if p[i] * (len(p) - step) > level:
            break
        rejected.add(int(i))
    assert {i for i, value in enumerate(adjusted) if value <= level} == rejected
    assert all(min(value, 1) <= a <= 1 for value, a in zip(p, adjusted, strict=True))


@pytest.mark.parametrize("cases", [[1.0], [1.0, np.nan], [[1.0, 2.0]], [1.0, np.inf]])
def test_what_is_no_set_of_cases_is_refused(cases: list):
    with pytest.raises(InputError, match="two finite figures or more"):
        bootstrap_interval(cases)


def test_models_with_other_cases_are_refused():
    with pytest.raises(InputError, match="2 and 3 cases cannot be paired"):
        compare([1.0, 2.0], [1.0, 2.0, 3.0])


@given(cases=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=13))
def test_mcnemar_is_every_swap_of_who_was_right(cases: list[tuple[bool, bool]]):
    first, second = np.array(cases).T
    assert mcnemar(first, second) == pytest.approx(permutation_test(first.astype(float), second.astype(float)))


def test_paired_t_is_scipy_s_without_overlap_and_honest_with(rng: np.random.Generator):
    first, second = rng.normal(size=(2, 9)) + np.array([[0.4], [0.0]])
    other = stats.ttest_rel(first, second)
    found = paired_t(first, second, level=0.9)
    assert found.p == pytest.approx(other.pvalue)
    assert found.interval[1:] == pytest.approx(tuple(other.confidence_interval(0.9)))
    wide = paired_t(first, second, overlap=0.5, level=0.9).interval
    assert (wide.high - wide.low) / (found.interval.high - found.interval.low) == pytest.approx((1 + 9 / 2) ** 0.5)
    # Differences that share a term with variance overlap · s², as those of folds do: 5 % are found, not a third.
    shared, own = rng.normal(size=(2000, 1)) * 0.5**0.5, rng.normal(size=(2000, 9))
    zeros = np.zeros(9)
    corrected = np.mean([paired_t(one, zeros, overlap=0.5).p < 0.05 for one in shared + own])
    plain = np.mean([paired_t(one, zeros).p < 0.05 for one in shared + own])
    assert 0.03 < corrected < 0.07 and plain > 0.25
    assert paired_t([1.0, 2.0], [1.0, 2.0]) == ((0.0, 0.0, 0.0), 1.0)
