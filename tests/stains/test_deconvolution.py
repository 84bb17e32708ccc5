"""Colour deconvolution against scikit-image and against its own inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import hed2rgb, hed_from_rgb, rgb_from_hed, separate_stains

from diffuscope.stains import HDAB, HED, combine, dab_density, optical_density, separate


def test_density_of_white_is_zero_and_of_black_finite() -> None:
    """White glass has no density; black has the most an 8-bit image can say, log10(256)."""
    image = np.array([[[255, 255, 255], [0, 0, 0]]], np.uint8)
    np.testing.assert_allclose(optical_density(image)[0, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(optical_density(image)[0, 1], np.log10(256), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_density_is_that_of_the_value_whatever_it_is_held_in(dtype: type) -> None:
    values = np.arange(256, dtype=dtype).reshape(16, 16)
    found = optical_density(values)
    assert found.dtype == np.float32 and found.shape == (16, 16)
    np.testing.assert_allclose(found, -np.log10((np.arange(256.0).reshape(16, 16) + 1) / 256), atol=2e-7)
    np.testing.assert_array_equal(found, optical_density(values.astype(np.float32)))


def test_separation_agrees_with_scikit_image_up_to_its_scale() -> None:
    """scikit-image divides natural logs by log(1e-6): the same densities but for one factor a stain."""
    rng = np.random.default_rng(0)
    image = rng.integers(20, 250, (64, 64, 3)).astype(np.uint8)
    ours = separate(image, HED).astype(np.float64)
    # Same values in: scikit-image takes (v + 1) / 256 as transmitted light here.
    theirs = separate_stains((image.astype(np.float64) + 1.0) / 256.0, hed_from_rgb)
    for stain in range(3):
        # The scale differs (log base, and rows of rgb_from_hed that are not of unit length).
        factor = np.linalg.norm(rgb_from_hed[stain]) * -np.log10(1e-6)
        inside = theirs[..., stain] > 0  # scikit-image clips negatives
        np.testing.assert_allclose(ours[..., stain][inside], theirs[..., stain][inside] * factor, atol=2e-4)


@given(st.floats(0.0, 0.9), st.floats(0.0, 0.9))
def test_combine_then_separate_returns_the_densities(haematoxylin: float, dab: float) -> None:
    """Round trip within what 8 bits can hold."""
    image = combine(np.array([[[haematoxylin, dab, 0.0]]]), HDAB)
    if image.min() < 20:  # rounding of dark values costs more than the tolerance
        return
    np.testing.assert_allclose(separate(image, HDAB)[0, 0, :2], [haematoxylin, dab], atol=0.03)


def test_dab_density_ignores_a_haematoxylin_nucleus_and_sees_dab() -> None:
    """A pure haematoxylin colour has no DAB; pure DAB of 0.6 OD reads 0.6."""
    image = combine(np.array([[[0.8, 0.0, 0.0], [0.0, 0.6, 0.0]]]), HDAB)
    assert dab_density(image)[0, 0] == pytest.approx(0.0, abs=0.02)
    assert dab_density(image)[0, 1] == pytest.approx(0.6, abs=0.02)


def test_scikit_image_sees_our_dab_as_dab() -> None:
    """An image painted by scikit-image with DAB alone has DAB here too, and more where more was painted."""
    painted = np.zeros((1, 3, 3))
    painted[0, :, 2] = [0.02, 0.06, 0.1]
    image = np.rint(hed2rgb(painted) * 255).astype(np.uint8)
    values = dab_density(image)[0]
    assert np.all(np.diff(values) > 0.05)
