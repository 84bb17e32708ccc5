"""The figures of a case against scikit-image and scikit-learn on all its pixels at once."""

from __future__ import annotations

from math import log10

import numpy as np
import pytest
from scipy.stats import spearmanr
from skimage.metrics import mean_squared_error, structural_similarity
from sklearn.metrics import f1_score

from diffuscope.evaluation.figures import METRICS, TILE, Field, Tally, mean_curves, tiles


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(0, 256, (192, 256, 3), np.uint8)
    return truth, np.clip(truth + rng.normal(0, 30, truth.shape), 0, 255).astype(np.uint8)


def halves(**arrays: np.ndarray) -> list[Field]:
    """Two fields of unequal size."""
    return [Field(**{key: value[:, part] for key, value in arrays.items()}) for part in (np.s_[:64], np.s_[64:])]


def test_fields_are_pooled_by_pixels(pair: tuple[np.ndarray, np.ndarray], rng: np.random.Generator):
    truth, found = pair
    dab, claimed = rng.random((2, 192, 256)).astype(np.float32)
    tally = Tally(data_range=255, threshold=0.6)
    for field in halves(truth=truth, found=found, truth_dab=dab, found_dab=claimed):
        tally.add(field)
    figures = tally.figures()
    expected = mean_squared_error(truth, found)
    assert figures["mse"] == pytest.approx(expected, rel=1e-6)
    assert figures["psnr"] == pytest.approx(10 * log10(255**2 / expected))
    assert figures["dab_dice"] == pytest.approx(f1_score((dab > 0.6).ravel(), (claimed > 0.6).ravel()))
    area = 100 * abs((claimed > 0.6).mean() / (dab > 0.6).mean() - 1)
    assert figures["dab_area_error_percent"] == pytest.approx(area)
    assert figures["dab_mean_error_od"] == pytest.approx(abs(float(dab.mean()) - float(claimed.mean())), rel=1e-4)
    assert "ms_ssim" in figures and list(figures) == [key for key in METRICS if key in figures]


def test_one_field_has_the_figures_of_its_pictures(pair: tuple[np.ndarray, np.ndarray]):
    truth, found = pair
    tally = Tally(data_range=255, threshold=0.15)
    tally.add(Field(truth, found))
    expected = structural_similarity(
        truth, found, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    # scikit-image averages over windows that reach over the edge as well, cropped by 5 px.
    assert tally.figures()["ssim"] == pytest.approx(expected, abs=1e-4)
    assert not {"dab_dice", "ause", "mask_dice_dab", "perceptual"} & tally.figures().keys()


def test_masks_are_held_against_what_was_found(rng: np.random.Generator):
    truth = found = np.zeros((64, 64, 3), np.uint8)
    mask, filled, probability = rng.random((3, 64, 64)).astype(np.float32)
    tally = Tally(data_range=255, threshold=0.3)
    tally.add(Field(truth, found, mask=mask, filled_dab=filled, segmentation=probability))
    inside = (mask >= 0.5).ravel()
    assert tally.figures()["mask_dice_dab"] == pytest.approx(f1_score(inside, (filled > 0.3).ravel()))
    assert tally.figures()["mask_dice_segmentation"] == pytest.approx(f1_score(inside, (probability > 0.5).ravel()))


def test_uncertainty_is_held_against_the_error_in_dab(pair: tuple[np.ndarray, np.ndarray], rng: np.random.Generator):
    truth, found = pair
    dab, claimed = rng.random((2, 192, 256)).astype(np.float32)
    wrong = np.abs(dab.astype(np.float64) - claimed)
    sure = wrong + rng.normal(0, 0.2, wrong.shape)
    tally = Tally(data_range=255, threshold=0.15)
    tally.add(Field(truth, found, truth_dab=dab, found_dab=claimed, uncertainty=sure))
    assert tally.figures()["uncertainty_spearman"] == pytest.approx(spearmanr(wrong.ravel(), sure.ravel())[0])
    own, best = tally.curves()
    assert (own[0], best[0]) == pytest.approx((1, 1)) and (best <= own + 1e-9).all()
    assert tally.figures()["ause"] == pytest.approx(np.mean(own - best))
    drawn = mean_curves([(own, best), (own, own)])
    np.testing.assert_allclose(drawn["best"], (own + best) / 2)
    perfect = Tally(data_range=255, threshold=0.15)
    perfect.add(Field(truth, found, truth_dab=dab, found_dab=claimed, uncertainty=wrong))
    assert perfect.figures()["ause"] == pytest.approx(0, abs=1e-9)


def test_what_is_undefined_is_left_out(pair: tuple[np.ndarray, np.ndarray]):
    truth, _ = pair
    none = np.zeros(truth.shape[:2], np.float32)
    tally = Tally(data_range=255, threshold=0.15)
    tally.add(Field(truth, truth, truth_dab=none, found_dab=none, uncertainty=np.full_like(none, np.nan)))
    figures = tally.figures()
    assert figures["mse"] == 0 and figures["ssim"] == pytest.approx(1)
    assert not {"psnr", "dab_area_error_percent", "ause"} & figures.keys() and tally.curves() is None


def test_tiles_do_not_overlap_and_a_small_picture_is_one(rng: np.random.Generator):
    picture = rng.integers(0, 256, (2 * TILE + 30, TILE + 200, 3), np.uint8)
    cut = tiles(picture)
    assert len(cut) == 2
    np.testing.assert_array_equal(np.concatenate(cut), picture[: 2 * TILE, :TILE])
    assert tiles(picture[:100])[0].shape == (100, TILE + 200, 3)


def test_the_distance_is_the_mean_over_tiles(rng: np.random.Generator):
    truth, found = rng.integers(0, 256, (2, TILE, 3 * TILE, 3), np.uint8)
    tally = Tally(
        data_range=255, threshold=0.15, distance=lambda a, b: np.abs(a.astype(float) - b).mean(axis=(1, 2, 3))
    )
    tally.add(Field(truth, found))
    assert tally.figures()["perceptual"] == pytest.approx(np.abs(truth.astype(float) - found).mean())
