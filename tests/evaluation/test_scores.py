"""Figures of scores against scikit-learn, and where they have no value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.evaluation.scores import score_figures

metrics = pytest.importorskip("sklearn.metrics")


@given(
    cases=st.lists(st.tuples(st.booleans(), st.integers(0, 20).map(lambda n: n / 20)), min_size=2, max_size=60),
    threshold=st.sampled_from([0.3, 0.5, 0.7]),
)
def test_figures_are_those_of_another_library(cases: list[tuple[bool, float]], threshold: float):
    true, found = (np.array(one) for one in zip(*cases, strict=True))
    figures = score_figures(true, found, threshold=threshold)
    said = found >= threshold
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(true, said))
    assert figures["Brier"] == pytest.approx(np.mean((found - true) ** 2))
    if 0 < true.sum() < len(true):
        macro = metrics.precision_recall_fscore_support(true, said, average="macro", zero_division=0)
        for name, value in zip(("precision", "recall", "F1"), macro[:3], strict=True):
            assert figures[f"macro {name}"] == pytest.approx(value)
        assert figures["AUROC"] == pytest.approx(metrics.roc_auc_score(true, found))
        assert figures["AUPRC"] == pytest.approx(metrics.average_precision_score(true, found))
    else:
        assert figures.keys() == {"accuracy", "Brier", "ECE"}


def test_what_is_calibrated_has_no_calibration_error():
    true = np.array([True] * 3 + [False] * 7 + [True] * 9 + [False])
    assert score_figures(true, [0.3] * 10 + [0.9] * 10)["ECE"] == pytest.approx(0.0)
    assert score_figures(true, [0.5] * 10 + [0.9] * 10)["ECE"] == pytest.approx(0.1)
