"""NIQE: the fit against distributions that scipy draws, the distance by hand, and that damage is seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.niqe import fit_asymmetric, niqe, normalised, patch_features, pristine


def textured(rng: np.random.Generator, side: int = 128) -> np.ndarray:
    """Return a picture with structure at several scales, 0 to 255."""
    layers = [gaussian_filter(rng.normal(size=(side, side)), s, mode="wrap") * s for s in (0.7, 1.5, 3.0, 8.0)]
    image = np.sum(layers, axis=0)
    return (image - image.min()) / np.ptp(image) * 255


@pytest.mark.parametrize(("shape", "scale"), [(0.8, 2.0), (1.0, 0.5), (2.0, 1.0), (4.0, 3.0)])
def test_a_symmetric_fit_finds_what_scipy_drew(rng: np.random.Generator, shape: float, scale: float):
    found = fit_asymmetric(stats.gennorm.rvs(shape, scale=scale, size=200_000, random_state=rng))
    assert found.shape == pytest.approx(shape, rel=0.04)
    assert (found.left, found.right) == pytest.approx((scale, scale), rel=0.04)
    assert found.mean == pytest.approx(0.0, abs=0.04 * scale)


def test_an_asymmetric_fit_finds_both_sides_and_the_mean(rng: np.random.Generator):
    # Of each side as many as its share of the mass: scale over the sum of both.
    left, right, shape = 1.0, 3.0, 1.5
    drawn = np.abs(stats.gennorm.rvs(shape, size=400_000, random_state=rng))
    is_right = rng.random(drawn.size) < right / (left + right)
    values = np.where(is_right, right * drawn, -left * drawn)
    found = fit_asymmetric(values)
    assert found == pytest.approx((shape, left, right), rel=0.04)
    assert found.mean == pytest.approx(values.mean(), rel=0.03)


def test_a_pixel_is_brought_to_the_mean_and_deviation_of_its_window(rng: np.random.Generator):
    image = textured(rng, 32)
    grid = np.arange(-3, 4)
    window = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    seen = image[10 - 3 : 10 + 4, 14 - 3 : 14 + 4]
    mean = (window * seen).sum()
    deviation = np.sqrt((window * (seen - mean) ** 2).sum())
    flat, spread = normalised(image)
    assert flat[10, 14] == pytest.approx((image[10, 14] - mean) / (deviation + 1))
    assert spread[10, 14] == pytest.approx(deviation)


def test_the_distance_is_that_of_the_two_gaussians(rng: np.random.Generator):
    model = pristine([textured(rng) for _ in range(12)], patch=32)
    image = textured(rng)
    features = patch_features(image, patch=32)[0]
    assert features.shape == (16, 36)
    common = (np.cov(features, rowvar=False) + model.covariance) / 2
    apart = features.mean(axis=0) - model.mean
    assert niqe(image, model, patch=32) == pytest.approx(np.sqrt(apart @ np.linalg.solve(common, apart)), rel=1e-4)


def test_blur_and_noise_are_farther_from_pristine_than_what_is_like_it(rng: np.random.Generator):
    model = pristine([textured(rng) for _ in range(12)], patch=32)
    image = textured(rng)
    like = niqe(image, model, patch=32)
    assert niqe(gaussian_filter(image, 2.0), model, patch=32) > 2 * like
    assert niqe(np.clip(image + rng.normal(scale=40, size=image.shape), 0, 255), model, patch=32) > 2 * like


def test_patches_without_contrast_count_for_nothing_and_too_little_is_refused(rng: np.random.Generator):
    model = pristine([textured(rng) for _ in range(12)], patch=32)
    half = np.where(np.arange(128) < 64, 0.0, textured(rng))
    assert len(patch_features(half, patch=32)[0]) < 16
    assert np.isnan(niqe(np.full((64, 64), 7.0), model, patch=32))
    with pytest.raises(InputError, match="too few for a Gaussian"):
        pristine([textured(rng)], patch=64)
    with pytest.raises(InputError, match="no patches of 96 px"):
        niqe(textured(rng, 64), model, patch=96)
