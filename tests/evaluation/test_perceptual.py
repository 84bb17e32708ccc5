"""The perceptual distance against its formula in loops, and what must hold for any image."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.features import RandomConvFeatures
from diffuscope.evaluation.metrics.perceptual import PerceptualDistance

A, B = np.random.default_rng(14).integers(0, 256, (2, 3, 16, 24, 3)).astype(np.uint8)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Squared distance of two unit vectors is 2 − 2 cos; one that is 0 stays 0."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if 0 in lengths:
        return float(sum(length > 0 for length in lengths))
    return 2 - 2 * float(a @ b) / (lengths[0] * lengths[1])


def test_without_weights_it_is_the_mean_cosine_distance_and_says_it_is_not_lpips():
    extractor = RandomConvFeatures()
    distance = PerceptualDistance(extractor)
    layers = list(zip(extractor.maps(A[:1]), extractor.maps(B[:1]), strict=True))
    expected = sum(
        np.mean([cosine(a[0, :, y, x], b[0, :, y, x]) for y in range(a.shape[2]) for x in range(a.shape[3])])
        for a, b in layers
    )
    assert distance(A, B)[0] == pytest.approx(expected, abs=1e-9)
    assert distance.name.startswith("perceptual distance (without calibrated weights, so not LPIPS) on random-conv")


def test_weights_count_channel_by_channel():
    extractor = RandomConvFeatures()
    channels = [m.shape[1] for m in extractor.maps(A[:1])]
    halves = PerceptualDistance(extractor, [np.full(c, 0.5) for c in channels])
    np.testing.assert_allclose(halves(A, B), PerceptualDistance(extractor)(A, B) / 2)
    assert halves.name.startswith("perceptual distance (calibrated weights, as LPIPS) on")
    parts = []
    for layer, c in enumerate(channels):
        only = [np.zeros(n) for n in channels]
        only[layer] = np.arange(c) / c
        parts.append(PerceptualDistance(extractor, only)(A, B))
    together = PerceptualDistance(extractor, [np.arange(c) / c for c in channels])(A, B)
    np.testing.assert_allclose(together, sum(parts))


def test_identity_symmetry_and_growth(rng: np.random.Generator):
    distance = PerceptualDistance(RandomConvFeatures())
    assert (distance(A, A) == 0).all()
    np.testing.assert_allclose(distance(A, B), distance(B, A))
    noise = rng.normal(size=A.shape)
    grown = [distance(A, np.clip(A + scale * noise, 0, 255).astype(np.uint8)) for scale in (5, 20, 80)]
    assert (grown[0] < grown[1]).all() and (grown[1] < grown[2]).all()


def test_what_does_not_fit_is_refused():
    extractor = RandomConvFeatures()
    with pytest.raises(InputError, match="cannot be compared"):
        PerceptualDistance(extractor)(A, B[:, 1:])
    for weights in ([np.ones(32)], [-np.ones(c) for c in (32, 64, 64, 96)]):
        with pytest.raises(InputError, match="give 4 arrays of 32, 64, 64, 96 numbers"):
            PerceptualDistance(extractor, weights)(A, B)
