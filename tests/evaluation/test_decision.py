"""A threshold and a calibration from validating patients: found where they are known, and left where nothing helps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffuscope.evaluation.decision import choose_threshold, fit_calibration
from diffuscope.evaluation.scores import auroc
from diffuscope.systems.calibration import calibrated, evidence

DRAWS = 200


def patients(rng: np.random.Generator, count: int, *, slope: float = 1.0, offset: float = 0.0):
    """Return truths and scores whose logit is to be multiplied and moved so as to be right."""
    right = rng.normal(-0.5, 1.5, count)
    true = rng.random(count) < 1 / (1 + np.exp(-right))
    told = 1 / (1 + np.exp(-(right - offset) / slope))
    return true, rng.binomial(DRAWS, told) / DRAWS, 1 / (1 + np.exp(-right))


def test_the_threshold_parts_what_can_be_parted():
    scores = np.r_[np.linspace(0.1, 0.3, 12), np.linspace(0.5, 0.9, 12)]
    assert 0.3 < choose_threshold(np.arange(24) >= 12, scores) < 0.5


def test_the_threshold_is_near_the_share_of_the_class_where_the_score_is_right(rng: np.random.Generator):
    """Of a calibrated probability that is where sensitivity plus specificity is greatest."""
    true, _, right = patients(rng, 4000)
    assert choose_threshold(true, right) == pytest.approx(true.mean(), abs=0.06)


def test_the_median_of_resamples_is_nearer_to_the_best_than_the_best_of_few(rng: np.random.Generator):
    from diffuscope.evaluation.decision import _youden

    chosen, plain = [], []
    for _ in range(200):
        true, _, right = patients(rng, 100)
        chosen.append(choose_threshold(true, right))
        plain.append(_youden(true, right))
    assert np.std(chosen) < 0.95 * np.std(plain)


@pytest.mark.parametrize(("slope", "offset"), [(0.4, 0.0), (1.0, 1.0), (2.0, -0.5)])
def test_a_calibration_that_is_wanting_is_found(rng: np.random.Generator, slope: float, offset: float):
    true, found, _ = patients(rng, 3000, slope=slope, offset=offset)
    assert fit_calibration(true, found, count=DRAWS) == pytest.approx((slope, offset), abs=0.17)


def test_a_score_that_is_right_is_left_alone():
    kept = [fit_calibration(*patients(np.random.default_rng(seed), 150)[:2], count=DRAWS) for seed in range(40)]
    assert sum(one is not None for one in kept) <= 5


def test_calibrated_scores_lose_less_on_other_patients(rng: np.random.Generator):
    true, found, _ = patients(rng, 300, slope=0.5)
    other, told, _ = patients(rng, 5000, slope=0.5)
    slope, offset = fit_calibration(true, found, count=DRAWS)
    x = evidence(torch.tensor(told), DRAWS).numpy()
    brier = [np.mean((one - other) ** 2) for one in (told, 1 / (1 + np.exp(-(slope * x + offset))))]
    assert brier[1] < brier[0] - 0.003


@pytest.mark.parametrize("true", [[True] * 9 + [False] * 50, [False] * 5 + [True] * 50, [False] * 40])
def test_too_few_of_a_class_set_nothing(true: list[bool]):
    scores = np.linspace(0, 1, len(true))
    assert choose_threshold(true, scores) is None and fit_calibration(true, scores, count=10) is None


def test_a_score_that_is_the_wrong_way_round_is_not_turned(rng: np.random.Generator):
    true, found, _ = patients(rng, 500)
    assert fit_calibration(true, 1 - found, count=DRAWS) is None


def test_scores_that_part_the_classes_leave_a_finite_calibration():
    found = np.r_[np.zeros(40), np.ones(40)]
    kept = fit_calibration(np.arange(80) >= 40, found, count=10)
    assert kept is None or np.isfinite(kept).all()


def test_draws_move_to_the_probability_and_keep_their_order():
    draws = (
        torch.rand(3, 50, 40, generator=torch.Generator().manual_seed(0)) < torch.linspace(0, 1, 50)[:, None]
    ).float()
    moved = calibrated(draws, (0.6, 0.4))
    before, after = draws.double().mean(dim=(0, 2)), moved.double().mean(dim=(0, 2))
    assert torch.allclose(after, torch.sigmoid(0.6 * evidence(before, 120) + 0.4), atol=1e-6)
    assert ((moved >= 0) & (moved <= 1)).all()
    first, second = draws[:, 20].flatten(), moved[:, 20].flatten()
    assert (second[first == 1].min() > second[first == 0].max()) and len(second.unique()) == 2
    known = np.arange(50) > 25
    assert auroc(known, after.numpy()) == auroc(known, before.numpy())


def test_a_score_of_no_draw_and_of_all_is_calibrated_too():
    moved = calibrated(torch.stack([torch.zeros(1, 10), torch.ones(1, 10)], dim=1), (1.0, 0.0))
    assert moved[0, 0].tolist() == pytest.approx([0.5 / 11] * 10) and moved[0, 1].tolist() == pytest.approx(
        [10.5 / 11] * 10
    )
