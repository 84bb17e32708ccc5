"""Selective accuracy and width against error, by hand; Davies–Bouldin against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.clusters import davies_bouldin
from diffuscope.evaluation.trust import error_auroc, selective_accuracy


def test_what_is_kept_is_the_surest():
    right, unsure = [1, 1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4, 0.5]
    shares = [selective_accuracy(right, unsure, coverage=coverage) for coverage in (0.2, 0.6, 0.8, 1.0)]
    assert shares == [1.0, 1.0, 0.75, 0.6]


def test_equals_count_for_the_part_that_is_kept():
    """Two sure ones, then three alike of which two are kept: their order moves nothing."""
    right = np.array([1, 1, 0, 1, 0])
    unsure = np.array([0.1, 0.1, 0.5, 0.5, 0.5])
    assert selective_accuracy(right, unsure, coverage=0.8) == pytest.approx((2 + 2 / 3) / 4)
    order = [0, 1, 4, 2, 3]
    assert selective_accuracy(right[order], unsure[order], coverage=0.8) == pytest.approx((2 + 2 / 3) / 4)
    assert selective_accuracy(right, np.ones(5), coverage=0.4) == pytest.approx(0.6)


def test_width_tells_of_error():
    right = [True, True, False, False]
    assert error_auroc(right, [0.1, 0.3, 0.2, 0.4]) == 0.75 and error_auroc(right, [1, 1, 1, 1]) == 0.5
    for all_alike in ([True, True], [False, False]):
        with pytest.raises(InputError, match="right and cases that are wrong"):
            error_auroc(all_alike, [0.1, 0.2])


@pytest.mark.parametrize("classes", [2, 4])
def test_davies_bouldin_is_that_of_another_library(rng: np.random.Generator, classes: int):
    metrics = pytest.importorskip("sklearn.metrics")
    which = rng.permutation(np.arange(60) % classes)
    points = rng.normal(size=(60, 5)) + which[:, None] * rng.normal(size=5)
    assert davies_bouldin(points, which) == pytest.approx(metrics.davies_bouldin_score(points, which))
    assert davies_bouldin([[0.0], [1.0], [0.0], [1.0]], [0, 0, 1, 1]) == np.inf
