"""The teacher: painted cells follow the stated probabilities, and a crop is a part of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops_table

from diffuscope.simulation.restaining import cells
from diffuscope.simulation.restaining.teacher import CERTAINTY, SourceSample, paint, prepare
from diffuscope.simulation.tissue import simulate_tissue
from diffuscope.stains import dab_density


@pytest.fixture(scope="module", params=["CD3", "CK8/18"])
def sample(request: pytest.FixtureRequest) -> SourceSample:
    tissue = simulate_tissue(1)
    return prepare(tissue.he, request.param, mpp=0.5, labels=tissue.labels)


def positive(sample: SourceSample, seed: int) -> np.ndarray:
    """Which cells a draw has painted: those with DAB over 0.1 OD in the middle of their painted zone."""
    dab = paint(sample, np.random.default_rng(seed)).dab
    return np.array(
        [
            np.median(dab[sample.cell == i + 1]) > 0.1 if (sample.cell == i + 1).any() else False
            for i in range(len(sample.chance))
        ]
    )


def test_cells_are_positive_as_often_as_stated(sample: SourceSample):
    draws = 40
    share = np.mean([positive(sample, seed) for seed in range(draws)], axis=0)
    # each cell's share has a standard deviation of sqrt(p (1 - p) / 40) < 0.08
    assert np.abs(share - sample.chance).max() < 0.32
    assert abs(share.mean() - sample.chance.mean()) < 0.03


def test_nothing_is_certain(sample: SourceSample):
    assert 0 < sample.chance.max() <= max(CERTAINTY.values())


def test_the_probability_map_is_the_mean_of_many_draws(sample: SourceSample):
    mean = np.mean([paint(sample, np.random.default_rng(seed)).dab > 0.15 for seed in range(60)], axis=0)
    probability = sample.probability()
    sure, never = probability > 0.5, probability == 0
    assert abs(mean[sure].mean() - probability[sure].mean()) < 0.08
    assert mean[never].mean() < 0.02
    assert np.corrcoef(mean.ravel(), probability.ravel())[0, 1] > 0.85


def test_a_window_is_a_part_of_the_whole(sample: SourceSample):
    window = np.s_[37:170, 220:301]
    whole = paint(sample, np.random.default_rng(5))
    part = paint(sample, np.random.default_rng(5), window)
    np.testing.assert_allclose(part.dab, whole.dab[window], atol=1e-6)
    np.testing.assert_array_equal(part.ihc, whole.ihc[window])


def test_the_picture_holds_the_density_that_was_painted(sample: SourceSample):
    painted = paint(sample, np.random.default_rng(0))
    # eight bits of a dark brown tell its density to a few hundredths
    assert np.abs(dab_density(painted.ihc) - painted.dab).mean() < 0.01
    np.testing.assert_allclose(dab_density(painted.ihc)[painted.dab > 0.3], painted.dab[painted.dab > 0.3], atol=0.12)


def test_eosin_is_gone(sample: SourceSample):
    """What is pink in the H&E and has no nucleus is pale in the IHC."""
    pink = (sample.he[..., 1] < 150) & (sample.counterstain < 0.05) & (sample.cell == 0)
    assert pink.sum() > 1000
    assert paint(sample, np.random.default_rng(0)).ihc[pink].mean() > 225


def test_nuclei_are_measured_as_scikit_image_does():
    """All labels at once against one by one; a label may be missing, or a single pixel."""
    tissue = simulate_tissue(3, mpp=0.5)
    labels = tissue.labels.copy()
    labels[labels == 7] = 0
    labels[tuple(np.argwhere(labels == 9)[1:].T)] = 0
    image = tissue.he[..., 0].astype(np.float32)
    names = ("area", "centroid", "eccentricity", "intensity_mean", "intensity_std")
    table = regionprops_table(labels, image, properties=names)
    area, centre, *rest = cells._moments(labels, image)
    np.testing.assert_array_equal(area, table["area"])
    assert (area == 1).sum() == 1 and len(area) == labels.max() - 1
    np.testing.assert_allclose(centre, np.stack([table["centroid-0"], table["centroid-1"]], axis=1))
    for found, name in zip(rest, names[2:], strict=True):
        np.testing.assert_allclose(found, table[name], rtol=1e-5, atol=1e-5)
