"""Pixel measures against scikit-image, scikit-learn and what must hold for any image."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import metrics
from skimage.measure import block_reduce
from sklearn.metrics import mutual_info_score

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.paired import ms_ssim, mse, mutual_information, psnr, ssim

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(11, 16), st.integers(11, 16), st.integers(1, 3)))


def pair(rng: np.random.Generator, *shape: int, noise: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw an image and a noisy copy, 8 bits."""
    truth = rng.integers(0, 256, shape)
    return truth.astype(np.uint8), np.clip(truth + rng.normal(scale=noise, size=shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(48, 41), (32, 37, 3)])
def test_mse_and_psnr_are_those_of_scikit_image(rng: np.random.Generator, shape: tuple[int, ...]):
    truth, found = pair(rng, *shape)
    assert mse(truth, found) == pytest.approx(metrics.mean_squared_error(truth, found))
    assert psnr(truth, found, data_range=255) == pytest.approx(metrics.peak_signal_noise_ratio(truth, found))


@pytest.mark.parametrize("noise", [5.0, 30.0, 120.0])
def test_ssim_is_that_of_scikit_image_with_the_paper_s_window(rng: np.random.Generator, noise: float):
    truth, found = pair(rng, 48, 41, noise=noise)
    theirs = metrics.structural_similarity(truth, found, **GAUSSIAN)
    assert ssim(truth, found, data_range=255) == pytest.approx(theirs, abs=1e-6)


def test_ssim_of_floats_in_colour_is_that_of_scikit_image(rng: np.random.Generator):
    truth, found = (image / 255 for image in pair(rng, 32, 64, 3))
    theirs = metrics.structural_similarity(truth, found, data_range=1.0, channel_axis=-1, **GAUSSIAN)
    assert ssim(truth, found, data_range=1.0) == pytest.approx(theirs, abs=1e-6)


FIVE = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def by_scikit_image(truth: np.ndarray, found: np.ndarray, powers: Sequence[float] = FIVE) -> float:
    """MS-SSIM from scikit-image's SSIM alone: a huge K1 makes its luminance 1, and leaves contrast and structure."""
    value = 1.0
    for scale, power in enumerate(powers):
        constant = {} if scale == len(powers) - 1 else {"K1": 1e7}
        value *= metrics.structural_similarity(truth, found, data_range=255, **GAUSSIAN, **constant) ** power
        truth, found = block_reduce(truth, (2, 2), np.mean), block_reduce(found, (2, 2), np.mean)
    return value


def test_ms_ssim_is_that_built_from_scikit_image_s_ssim(rng: np.random.Generator):
    truth, found = (image.astype(float) for image in pair(rng, 176, 192, 2, noise=60.0))
    theirs = [by_scikit_image(truth[..., c], found[..., c]) for c in range(2)]
    assert ms_ssim(truth, found, data_range=255) == pytest.approx(np.mean(theirs), abs=1e-6)
    assert ms_ssim(truth[..., 0], found[..., 0], data_range=255) == pytest.approx(theirs[0], abs=1e-6)


def test_ms_ssim_of_an_image_and_its_negative_is_zero_not_complex(rng: np.random.Generator):
    truth = rng.integers(0, 256, (177, 181))
    assert ms_ssim(truth, 255 - truth, data_range=255) == 0.0
    assert ms_ssim(truth, truth, data_range=255) == pytest.approx(1.0)


def test_ms_ssim_of_fewer_scales_has_their_weights_alone(rng: np.random.Generator):
    truth, found = (image.astype(float) for image in pair(rng, 64, 60, noise=60.0))
    powers = [0.0448 / 0.6305, 0.2856 / 0.6305, 0.3001 / 0.6305]
    theirs = by_scikit_image(truth, found, powers)
    assert ms_ssim(truth, found, data_range=255, scales=3) == pytest.approx(theirs, abs=1e-6)
    assert ms_ssim(truth, truth, data_range=255, scales=3) == pytest.approx(1.0)


def test_mutual_information_is_that_of_scikit_learn(rng: np.random.Generator):
    truth, found = pair(rng, 48, 64)

    def labels(image: np.ndarray) -> np.ndarray:
        return np.digitize(image.ravel(), np.linspace(image.min(), image.max(), 17)[1:-1])

    theirs = mutual_info_score(labels(truth), labels(found))
    assert mutual_information(truth, found, bins=16) == pytest.approx(theirs, abs=1e-9)
    colours = np.stack([truth, found], axis=-1)
    mean = (theirs + mutual_information(found, found, bins=16)) / 2
    assert mutual_information(colours, np.stack([found, found], axis=-1), bins=16) == pytest.approx(mean)


def test_mutual_information_of_strangers_is_the_bias_that_is_stated(rng: np.random.Generator):
    values = [mutual_information(rng.random((64, 64)), rng.random((64, 64)), bins=16) for _ in range(20)]
    assert np.mean(values) == pytest.approx(15**2 / (2 * 64 * 64), rel=0.05)


def test_mutual_information_with_itself_is_the_entropy():
    four = np.repeat(np.arange(4), 64).reshape(16, 16)
    assert mutual_information(four, four) == pytest.approx(log(4))
    assert mutual_information(four, 3 - 2.0 * four) == pytest.approx(log(4))
    assert mutual_information(four, np.ones_like(four)) == 0.0


@settings(max_examples=40)
@given(truth=IMAGES, seed=st.integers(0, 2**32 - 1))
def test_identity_symmetry_and_orientation(truth: np.ndarray, seed: int):
    found = np.random.default_rng(seed).integers(0, 256, truth.shape).astype(np.uint8)
    assert mse(truth, truth) == 0.0
    assert psnr(truth, truth, data_range=255) == inf
    assert ssim(truth, truth, data_range=255) == pytest.approx(1.0)
    for measure in (mse, lambda a, b: ssim(a, b, data_range=255), mutual_information):
        value = measure(truth, found)
        assert measure(found, truth) == pytest.approx(value, abs=1e-9)
        assert measure(truth[::-1], found[::-1]) == pytest.approx(value, abs=1e-9)
        assert measure(truth.swapaxes(0, 1), found.swapaxes(0, 1)) == pytest.approx(value, abs=1e-9)
    assert -1.0 <= ssim(truth, found, data_range=255) <= 1.0
    assert 0.0 <= mutual_information(truth, found) <= mutual_information(truth, truth) + 1e-9


def test_what_cannot_be_compared_is_refused(rng: np.random.Generator):
    truth, found = pair(rng, 20, 20)
    with pytest.raises(InputError, match=r"\(20, 20\) and \(20, 19\) cannot be compared"):
        mse(truth, found[:, 1:])
    with pytest.raises(InputError, match="needs 11 px a side"):
        ssim(truth[:10], found[:10], data_range=255)
    with pytest.raises(InputError, match="needs 176 px a side"):
        ms_ssim(truth, found, data_range=255)
    with pytest.raises(InputError, match="is no image"):
        mutual_information(truth[0], found[0])
