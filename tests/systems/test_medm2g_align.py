"""Central alignment and the visual invariant, against float64 by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.systems.medm2g.align import info_nce, visual_invariant


@given(st.integers(2, 12), st.integers(1, 9), st.integers(0, 99), st.floats(0.05, 2))
@settings(max_examples=30, deadline=None)
def test_the_contrast_is_that_of_the_paper_in_both_directions(number: int, width: int, seed: int, temperature: float):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, number, width))
    found = info_nce(torch.from_numpy(a), torch.from_numpy(b), temperature)
    a, b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (a, b))
    weights = np.exp(a @ b.T / temperature)
    one_way = -np.log(np.diag(weights) / weights.sum(1)).mean()
    other_way = -np.log(np.diag(weights) / weights.sum(0)).mean()
    assert float(found) == pytest.approx(one_way + other_way, rel=1e-4, abs=1e-5)


@given(st.integers(3, 20), st.integers(1, 8), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_invariant_is_one_minus_the_correlation_and_the_other_correlations(number: int, width: int, seed: int):
    a, b = np.random.default_rng(seed).normal(size=(2, number, width))
    found = visual_invariant(torch.from_numpy(a), torch.from_numpy(b), 5e-3)
    c = np.corrcoef(a.T, b.T)[:width, width:]
    off = (c**2).sum() - (np.diag(c) ** 2).sum()
    assert float(found) == pytest.approx((((1 - np.diag(c)) ** 2).sum() + 5e-3 * off) / width, rel=1e-3, abs=1e-5)


def test_the_same_view_of_features_that_do_not_hang_together_costs_nothing():
    features = torch.linalg.qr(torch.randn(40, 6, dtype=torch.float64) - 0)[0]
    features -= features.mean(0)
    features = torch.linalg.qr(features)[0]
    assert float(visual_invariant(features, features, 5e-3)) == pytest.approx(0, abs=1e-9)
