"""Nearest training images and mixed classes against scikit-learn, and what copies and strangers must give."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.neighbours import memorised, mixing, nearest


def test_the_nearest_are_those_of_scikit_learn(rng: np.random.Generator):
    found, train = rng.normal(size=(20, 5)), rng.normal(size=(50, 5))
    distance, which = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(found)
    own = nearest(found, train)
    assert own[0] == pytest.approx(distance[:, 0]) and np.array_equal(own[1], which[:, 0])
    with pytest.raises(InputError, match="cannot be compared"):
        nearest(found, train[:, :3])


def test_samples_of_the_same_source_are_no_nearer_than_what_was_held_out(rng: np.random.Generator):
    every = [memorised(*rng.normal(size=(3, 300, 4))) for _ in range(30)]
    assert np.mean([told.nearer for told in every]) == pytest.approx(0.5, abs=0.02)
    assert np.mean([told.p < 0.05 for told in every]) < 0.2
    assert np.mean([told.copies for told in every]) == pytest.approx(0.01, abs=0.015)


def test_copies_are_told_even_where_they_are_few(rng: np.random.Generator):
    found, held, train = rng.normal(size=(3, 300, 4))
    # A third of the samples are training images, a little noisy.
    found[:100] = train[:100] + 0.01 * rng.normal(size=(100, 4))
    told = memorised(found, held, train)
    assert told.copies == pytest.approx(1 / 3, abs=0.05) and told.p < 1e-6
    # All pairs of one of those are won, of the others half.
    assert told.nearer == pytest.approx(1 / 3 + 2 / 3 / 2, abs=0.06)


def test_how_mixed_classes_are_lies_between_apart_and_dealt_out(rng: np.random.Generator):
    points, classes = rng.normal(size=(600, 3)), np.repeat(["ct", "mri", "xray"], [100, 200, 300])
    assert mixing(points, classes) == pytest.approx(1.0, abs=0.05)
    assert mixing(points + 100 * np.repeat(np.eye(3), [100, 200, 300], axis=0), classes) == 0.0
    near = NearestNeighbors(n_neighbors=8).fit(points).kneighbors(return_distance=False)
    others = (classes[near] != classes[:, None]).mean()
    expected = (100 * 500 + 200 * 400 + 300 * 300) / (600 * 599)
    assert mixing(points, classes, neighbours=8) == pytest.approx(others / expected)
    with pytest.raises(InputError, match="1 classes"):
        mixing(points, np.zeros(600))
