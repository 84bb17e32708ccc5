"""Simulated tissue: its own truth holds together, and the teacher's rule finds in it what was put there."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from diffuscope.simulation.restaining.cells import describe, find_nuclei
from diffuscope.simulation.restaining.teacher import prepare
from diffuscope.simulation.tissue import KINDS, Tissue, simulate_tissue


@pytest.fixture(scope="module")
def tissues() -> list[Tissue]:
    return [simulate_tissue(seed) for seed in range(4)]


def test_a_seed_is_a_tissue():
    one, again, other = simulate_tissue(3, size=128), simulate_tissue(3, size=128), simulate_tissue(4, size=128)
    np.testing.assert_array_equal(one.he, again.he)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert (one.he != other.he).any()


def test_every_nucleus_has_a_kind_and_its_kind_s_size(tissues: list[Tissue]):
    for tissue in tissues:
        regions = regionprops(tissue.labels)
        assert [region.label for region in regions] == list(range(1, len(tissue.kind) + 1))
        for region, kind in zip(regions, tissue.kind, strict=True):
            diameter = 2 * np.sqrt(region.area / np.pi) * 0.5
            low, high = {"epithelial": (6.5, 10.5), "lymphocyte": (4.5, 8), "fibroblast": (4.5, 7.5)}[KINDS[kind]]
            assert low < diameter < high


def test_nuclei_are_bluer_than_what_is_around_them(tissues: list[Tissue]):
    for tissue in tissues:
        red = tissue.he[..., 0].astype(float)
        assert red[tissue.labels > 0].mean() < red[tissue.labels == 0].mean() - 60


def test_the_rule_knows_each_kind(tissues: list[Tissue]):
    chance = {stain: [] for stain in ("CD3", "CK8/18")}
    for stain, found in chance.items():
        for tissue in tissues:
            found.append(prepare(tissue.he, stain, mpp=0.5, labels=tissue.labels).chance)
    kind = np.concatenate([tissue.kind for tissue in tissues])
    cd3, ck = (np.concatenate(found) for found in chance.values())
    assert cd3[kind == 1].mean() > 0.6 and ck[kind == 0].mean() > 0.4
    assert cd3[kind != 1].mean() < 0.1 and ck[kind != 0].mean() < 0.05


def test_the_teacher_finds_the_nuclei_without_being_told(tissues: list[Tissue]):
    """Its own segmentation against the simulator's: one threshold misses some pale nuclei beside dark ones."""
    for tissue in tissues:
        told = prepare(tissue.he, "CD3", mpp=0.5, labels=tissue.labels)
        found = find_nuclei(told.counterstain / 0.8, mpp=0.5)
        seen = np.unique(tissue.labels[found > 0])
        assert len(seen[seen > 0]) > 0.85 * len(tissue.kind)
        assert (tissue.labels[found > 0] > 0).mean() > 0.7


def test_no_nuclei_are_no_cells():
    cells = describe(np.zeros((32, 32), np.int32), np.zeros((32, 32)), mpp=0.5)
    assert len(cells.lymphocyte) == len(cells.epithelial) == 0
