"""Sparsification against removing pixels one curve point at a time, closed forms, and scipy's correlations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.calibration import FRACTIONS, ause, correlation, sparsification

ERRORS = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1, width=16)).filter(np.any)


def test_the_curve_is_what_removing_leaves(rng: np.random.Generator):
    error, uncertainty = rng.random((2, 32, 32))
    most_uncertain_first = [e for _, e in sorted(zip(uncertainty.ravel(), error.ravel(), strict=True), reverse=True)]
    left = [np.mean(most_uncertain_first[int(f * 1024) :]) / error.mean() for f in FRACTIONS]
    np.testing.assert_allclose(sparsification(error, uncertainty), left, rtol=1e-12)


def test_closed_form_of_evenly_spread_errors():
    # The mean of the smallest (1 − f) of a uniform distribution is (1 − f) of the mean of all.
    error = (np.arange(100_000) + 0.5) / 100_000
    np.testing.assert_allclose(sparsification(error, error), 1 - FRACTIONS, atol=2e-5)  # one pixel is 1e-5
    assert ause(error, error) == 0.0
    assert ause(error, np.ones_like(error)) == pytest.approx(FRACTIONS.mean(), abs=1e-5)
    # The worst order removes the smallest first: the mean of the largest (1 − f) is 1 + f.
    assert ause(error, -error) == pytest.approx(2 * FRACTIONS.mean(), abs=1e-5)


def test_equal_uncertainties_count_as_the_mean_over_all_their_orders(rng: np.random.Generator):
    error = rng.random(400)
    uncertainty = rng.integers(0, 3, 400).astype(float)
    orders = [sparsification(error, uncertainty + 1e-3 * rng.random(400)) for _ in range(2000)]
    np.testing.assert_allclose(np.mean(orders, axis=0)[:90], sparsification(error, uncertainty)[:90], rtol=0.02)


@given(error=ERRORS, seed=st.integers(0, 2**32 - 1))
def test_no_order_of_pixels_and_no_rising_scale_matters(error: np.ndarray, seed: int):
    rng = np.random.default_rng(seed)
    uncertainty = rng.integers(0, 5, error.size).astype(float)
    value = ause(error, uncertainty)
    order = rng.permutation(error.size)
    assert ause(error[order], uncertainty[order]) == pytest.approx(value, abs=1e-9)
    assert ause(3 * error, np.exp(uncertainty)) == pytest.approx(value, abs=1e-9)
    assert value >= -1e-12
    assert ause(error, 2 * error) == pytest.approx(0.0, abs=1e-12)


def test_correlations_are_those_of_scipy(rng: np.random.Generator):
    error = rng.random((16, 20))
    uncertainty = np.round(error + rng.random((16, 20)), 1)
    found = correlation(error, uncertainty)
    assert found.pearson == pytest.approx(stats.pearsonr(error.ravel(), uncertainty.ravel()).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(error.ravel(), uncertainty.ravel()).statistic)
    assert np.isnan(correlation(error, np.ones_like(error))).all()


@pytest.mark.parametrize("error", [np.zeros(4), -np.ones(4), np.ones(3), np.zeros(0)])
def test_errors_without_an_order_are_refused(error: np.ndarray):
    with pytest.raises(InputError):
        sparsification(error, np.ones(4 if error.size else 0))


def test_correlations_of_other_shapes_are_refused():
    with pytest.raises(InputError, match="of one shape"):
        correlation(np.ones(3), np.ones(4))
