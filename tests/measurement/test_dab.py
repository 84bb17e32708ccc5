"""Overlap and area of DAB against scipy and scikit-learn."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import distance
from sklearn.metrics import f1_score

from diffuscope.errors import InputError
from diffuscope.measurement.dab import area_error_percent, dice

DAB = hnp.arrays(np.float32, (8, 8), elements=st.floats(0, 1, width=32))


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_dice_is_that_of_scipy_and_scikit_learn(rng: np.random.Generator, threshold: float):
    truth, found = rng.random((2, 32, 40))
    masks = [(dab > threshold).ravel() for dab in (truth, found)]
    assert dice(truth, found, threshold=threshold) == pytest.approx(1 - distance.dice(*masks))
    assert dice(truth, found, threshold=threshold) == pytest.approx(f1_score(*masks))


def test_area_counts_too_much_and_too_little_alike():
    truth = np.zeros((10, 10))
    truth[:4] = 0.5
    for rows in (3, 5):
        found = np.zeros((10, 10))
        found[-rows:] = 0.4
        assert area_error_percent(truth, found, threshold=0.2) == pytest.approx(25.0)


def test_exactly_the_threshold_is_negative_as_in_the_measurements():
    dab = np.array([[0.25, 0.5]])
    assert area_error_percent(dab, np.array([[0.0, 0.5]]), threshold=0.25) == 0.0


def test_no_dab_anywhere_agrees_and_has_no_relative_error():
    empty, one = np.zeros((2, 2)), np.eye(2)
    assert dice(empty, empty, threshold=0.2) == 1.0
    assert dice(empty, one, threshold=0.2) == 0.0
    assert isnan(area_error_percent(empty, one, threshold=0.2))


@given(truth=DAB, found=DAB, threshold=st.floats(0, 0.99))
def test_identity_symmetry_and_range(truth: np.ndarray, found: np.ndarray, threshold: float):
    assert dice(truth, truth, threshold=threshold) == 1.0
    assert dice(truth, found, threshold=threshold) == dice(found, truth, threshold=threshold)
    assert 0.0 <= dice(truth, found, threshold=threshold) <= 1.0


def test_other_shapes_are_refused():
    with pytest.raises(InputError, match=r"\(2, 2\) and \(2, 3\) cannot be compared"):
        dice(np.zeros((2, 2)), np.zeros((2, 3)), threshold=0.2)
