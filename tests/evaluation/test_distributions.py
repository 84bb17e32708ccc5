"""FID, KID, precision and recall against closed forms, scipy and scikit-learn."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.distributions import Moments, fid, frechet_distance, kid, mmd2, precision_recall


def moments(rng: np.random.Generator, dimension: int, *, rank: int | None = None) -> Moments:
    factor = rng.normal(size=(dimension, rank or 2 * dimension))
    return Moments(rng.normal(size=dimension), factor @ factor.T)


def test_fid_of_gaussians_with_common_axes_has_a_closed_form(rng: np.random.Generator):
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    a, b = rng.uniform(0, 4, (2, 6))
    truth, found = (Moments(mean, axes @ np.diag(v) @ axes.T) for mean, v in ((np.zeros(6), a), (np.ones(6), b)))
    assert frechet_distance(truth, found) == pytest.approx(6 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2), abs=1e-6)


def test_fid_in_one_dimension():
    truth, found = Moments(np.array([1.0]), np.array([[4.0]])), Moments(np.array([-2.0]), np.array([[0.25]]))
    assert frechet_distance(truth, found) == pytest.approx(9 + (2 - 0.5) ** 2, abs=1e-12)


def test_fid_is_that_of_scipy_s_matrix_root(rng: np.random.Generator):
    truth, found = moments(rng, 12), moments(rng, 12)
    root = linalg.sqrtm(truth.covariance @ found.covariance).real
    theirs = np.sum((truth.mean - found.mean) ** 2) + np.trace(truth.covariance + found.covariance - 2 * root)
    assert frechet_distance(truth, found) == pytest.approx(theirs, abs=1e-6)


def test_fid_of_covariances_without_an_inverse(rng: np.random.Generator):
    # Two lines at an angle: |Δμ|² + a² + b² − 2 a b |cos|, where the root of the product does not exist.
    u, v = np.array([1.0, 0, 0, 0]), np.array([0.6, 0.8, 0, 0])
    truth, found = Moments(np.zeros(4), 9 * np.outer(u, u)), Moments(np.zeros(4), 4 * np.outer(v, v))
    assert frechet_distance(truth, found) == pytest.approx(9 + 4 - 2 * 3 * 2 * 0.6, abs=1e-6)
    singular = moments(rng, 20, rank=5)
    assert frechet_distance(singular, singular) == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_fid_does_not_see_rotations_or_which_set_is_which(seed: int):
    rng = np.random.default_rng(seed)
    truth, found = rng.normal(size=(2, 12, 5))
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    value = fid(truth, found)
    assert fid(found, truth) == pytest.approx(value, abs=1e-8)
    assert fid(truth @ rotation + 3, found @ rotation + 3) == pytest.approx(value, abs=1e-8)
    assert fid(2 * truth, 2 * found) == pytest.approx(4 * value, abs=1e-8)
    assert fid(truth, truth) == pytest.approx(0.0, abs=1e-8)


def test_fid_of_samples_of_one_source_lies_where_it_is_said_to(rng: np.random.Generator):
    d, n, m, variance, draws = 6, 400, 800, 2.0, 400
    values = [fid(*(sqrt(variance) * rng.normal(size=(size, d)) for size in (n, m))) for _ in range(draws)]
    scale = variance * (1 / n + 1 / m)
    mean, deviation = scale * (d + d * (d + 1) / 4), scale * sqrt(2 * d + d * (d + 1) / 4)
    # 1 / n² terms are a percent here.
    assert np.mean(values) == pytest.approx(mean, abs=3 * deviation / sqrt(draws) + 0.01 * mean)
    assert np.std(values) == pytest.approx(deviation, rel=0.15)


def test_fid_of_samples_converges_on_that_of_their_moments(rng: np.random.Generator):
    truth, found = moments(rng, 3), moments(rng, 3)
    drawn = [rng.multivariate_normal(m.mean, m.covariance, size=20_000) for m in (truth, found)]
    assert fid(*drawn) == pytest.approx(frechet_distance(truth, found), rel=0.05)


def test_mmd2_is_that_of_scikit_learn_s_kernel(rng: np.random.Generator):
    truth, found = rng.normal(size=(20, 7)), rng.normal(size=(30, 7)) + 0.5
    within, across = 0.0, polynomial_kernel(truth, found, degree=3, coef0=1).mean()
    for x in (truth, found):
        kernel = polynomial_kernel(x, degree=3, coef0=1)
        within += kernel[~np.eye(len(x), dtype=bool)].mean()
    assert mmd2(truth, found) == pytest.approx(within - 2 * across, abs=1e-9)


def gaussian_kid(a: Moments, b: Moments) -> float:
    """Closed form of MMD² of two Gaussians: the kernel's powers 1 to 3 are inner products of the raw moments."""

    def raw(m: Moments) -> list[np.ndarray]:
        mean, second = m.mean, m.covariance + np.outer(m.mean, m.mean)
        outer = np.einsum("ij,k->ijk", m.covariance, mean)
        third = outer + outer.transpose(0, 2, 1) + outer.transpose(2, 1, 0) + np.einsum("i,j,k->ijk", mean, mean, mean)
        return [mean, second, third]

    d = a.mean.size
    return sum(c * np.sum((x - y) ** 2) / d**p for c, p, x, y in zip((3, 3, 1), (1, 2, 3), raw(a), raw(b), strict=True))


def test_mmd2_of_samples_is_the_closed_form_of_their_raw_moments(rng: np.random.Generator):
    # Each mean over pairs i ≠ j is (n² × the inner product of the raw moments − Σ |x|² powers) / (n (n − 1)).
    truth, found = rng.normal(size=(15, 4)), rng.normal(size=(15, 4)) * 1.3
    n, d = truth.shape

    def products(a: np.ndarray, b: np.ndarray) -> float:
        thirds = [np.einsum("ni,nj,nk->ijk", x, x, x) / n for x in (a, b)]
        seconds = [x.T @ x / n for x in (a, b)]
        first = a.mean(axis=0) @ b.mean(axis=0)
        return 1 + 3 * first / d + 3 * np.sum(seconds[0] * seconds[1]) / d**2 + np.sum(thirds[0] * thirds[1]) / d**3

    def own(x: np.ndarray) -> float:
        return (n**2 * products(x, x) - np.sum((np.sum(x**2, axis=1) / d + 1) ** 3)) / (n * (n - 1))

    closed = own(truth) + own(found) - 2 * products(truth, found)
    assert mmd2(truth, found) == pytest.approx(closed, abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_kid_of_samples_lies_within_its_standard_error(rng: np.random.Generator, shift: float):
    truth, found = Moments(np.zeros(4), np.eye(4)), Moments(np.full(4, shift), np.diag([1.0, 1 + shift, 1, 1]))
    exact = gaussian_kid(truth, found)
    estimates = [
        kid(*(rng.multivariate_normal(m.mean, m.covariance, size=400) for m in (truth, found)), seed=seed)
        for seed in range(100)
    ]
    away = [(value - exact) / error for value, error in estimates]
    # Student's t with 9 degrees of freedom: standard deviation 1.13.
    assert abs(np.mean(away)) < 0.4
    assert np.std(away) == pytest.approx(1.13, rel=0.3)


def test_kid_needs_images_for_its_subsets(rng: np.random.Generator):
    few = rng.normal(size=(7, 3))
    assert kid(few, few + 9, subsets=3).value > 100
    with pytest.raises(InputError, match="needs 8 of each"):
        kid(few, few, subsets=4)
    with pytest.raises(InputError, match="has no standard error"):
        kid(few, few, subsets=1)


def test_precision_and_recall_are_those_of_scikit_learn_s_neighbours(rng: np.random.Generator):
    truth, found = rng.normal(size=(60, 3)), 0.6 * rng.normal(size=(40, 3)) + 1.5

    def inside(points: np.ndarray, among: np.ndarray) -> float:
        reach = NearestNeighbors(n_neighbors=4).fit(among).kneighbors(among)[0][:, -1]
        return np.mean([(np.linalg.norm(among - point, axis=1) <= reach).any() for point in points])

    expected = inside(found, truth), inside(truth, found)
    assert precision_recall(truth, found) == pytest.approx(expected)
    assert 0.2 < expected[1] < expected[0] < 1.0


def test_precision_and_recall_of_one_set_and_of_strangers(rng: np.random.Generator):
    truth = rng.normal(size=(20, 3))
    assert precision_recall(truth, truth) == (1.0, 1.0)
    assert precision_recall(truth, truth + 100) == (0.0, 0.0)
    # A few true images again and again: real, but not varied.
    precision, recall = precision_recall(truth, np.repeat(truth[:2], 5, axis=0))
    assert (precision, recall) == (1.0, 0.1)


def test_features_of_two_extractors_are_refused():
    a, b = np.zeros((5, 3)), np.zeros((5, 4))
    for measure in (fid, mmd2, precision_recall):
        with pytest.raises(InputError, match="one extractor for both"):
            measure(a, b)
    with pytest.raises(InputError, match="two images or more"):
        fid(a[:1], a)
