"""Crops painted on the device that trains: the same pictures as the teacher's own, a function of (seed, step)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from diffuscope.simulation.restaining import painting, teacher
from diffuscope.simulation.restaining.painting import Painter
from diffuscope.simulation.restaining.sources import Pair
from diffuscope.simulation.restaining.teacher import SourceSample, paint, prepare
from diffuscope.simulation.tissue import simulate_tissue
from diffuscope.stains import dab_density

PATCH = 64


@pytest.fixture(scope="module")
def samples() -> list[SourceSample]:
    tissues = [simulate_tissue(seed, size=size) for seed, size in ((1, 512), (2, 300))]
    return [prepare(tissue.he, "CD3", mpp=0.5, labels=tissue.labels) for tissue in tissues]


def painter(samples: list[SourceSample], size: int = 8) -> Painter:
    pairs = [Pair(f"phantom {i}", sample, 1.0) for i, sample in enumerate(samples)]
    return Painter(pairs, size=size, patch=PATCH, positive_share=0.5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_crop_is_the_teachers_own(samples: list[SourceSample], monkeypatch: pytest.MonkeyPatch):
    """Nothing is left to chance here: each cell is positive or not, and all are equally strong."""
    for module in (teacher, painting):
        monkeypatch.setattr(module, "CELL_SPREAD", 0.0)
        monkeypatch.setattr(module, "SLIDE_SPREAD", 0.0)
    sure = [replace(sample, chance=(sample.chance > 0.35).astype(float)) for sample in samples]
    place = torch.tensor([[0, 100, 37, 0], [1, 200, 150, 0], [0, 0, 448, 0]])
    batch = painter(sure, size=3).paint({"place": place}, generator())
    brown = 0
    for (source, y, x, _), ihc, probability in zip(place.tolist(), batch["ihc"], batch["probability"], strict=True):
        window = np.s_[y : y + PATCH, x : x + PATCH]
        truth = paint(sure[source], np.random.default_rng(0), window).ihc.astype(float)
        found = ihc.permute(1, 2, 0).numpy()
        # Along the border of a source scipy mirrors what the painter repeats.
        inner = np.s_[4:-4, 4:-4]
        assert np.abs(found - truth)[inner].max() <= 1.0
        brown += (truth[..., 2] < 150).sum()
        np.testing.assert_array_equal(probability[0].numpy(), sure[source].probability()[window])
    assert brown > 50


@pytest.mark.parametrize("turn", range(8))
def test_the_eight_turns_are_those_of_a_square(samples: list[SourceSample], turn: int):
    place = torch.tensor([[0, 100, 37, turn]])
    found = painter(samples, size=1).paint({"place": place}, generator())["probability"][0, 0].numpy()
    straight = samples[0].probability()[100 : 100 + PATCH, 37 : 37 + PATCH]
    eight = [np.rot90(mirrored, k) for mirrored in (straight, straight.T) for k in range(4)]
    matches = [index for index, one in enumerate(eight) if np.array_equal(one, found)]
    assert len(matches) == 1


def test_no_two_turns_are_the_same(samples: list[SourceSample]):
    place = torch.tensor([[0, 100, 37, turn] for turn in range(8)])
    crops = painter(samples, size=8).paint({"place": place}, generator())["probability"].flatten(1)
    assert len({tuple(crop.tolist()) for crop in crops}) == 8


def test_cells_are_positive_as_often_as_stated(samples: list[SourceSample]):
    one = painter(samples, size=64)
    y, x = (int(v) - PATCH // 2 for v in samples[0].centre[samples[0].chance.argmax()])
    place = torch.tensor([[0, y, x, 0]]).repeat(64, 1)
    drawn = [one.paint({"place": place}, generator(seed)) for seed in range(4)]
    dab = np.concatenate([dab_density(batch["ihc"].permute(0, 2, 3, 1).numpy()) for batch in drawn])
    share, stated = (dab > 0.15).mean(axis=0), drawn[0]["probability"][0, 0].numpy()
    sure = stated > 0.3
    assert sure.sum() > 50
    # Of 256 draws, over some cells.
    assert abs(share[sure].mean() - stated[sure].mean()) < 0.06
    assert share[stated == 0].mean() < 0.08


def test_a_batch_is_a_function_of_seed_and_step(samples: list[SourceSample]):
    first, again = painter(samples), painter(samples)
    assert torch.equal(first.places(5, seed=0)["place"], again.places(5, seed=0)["place"])
    assert not torch.equal(first.places(5, seed=0)["place"], first.places(6, seed=0)["place"])
    batches = [one.paint(one.places(5, seed=0), generator(3)) for one in (first, again)]
    for key, value in batches[0].items():
        assert torch.equal(value, batches[1][key]), key
    other = first.paint(first.places(5, seed=0), generator(4))
    assert not torch.equal(other["ihc"], batches[0]["ihc"])


def test_augmented_he_stays_near_the_normalised_one(samples: list[SourceSample]):
    place = torch.tensor([[0, 100, 37, 0]]).repeat(32, 1)
    he = painter(samples, size=32).paint({"place": place}, generator())["he"]
    assert he.shape == (32, 3, PATCH, PATCH) and he.dtype == torch.float32
    assert he.min() >= 0 and he.max() <= 255
    window = samples[0].normalised[100 : 100 + PATCH, 37 : 37 + PATCH].astype(float).transpose(2, 0, 1)
    apart = np.abs(he.numpy() - window).mean(axis=(1, 2, 3))
    assert apart.max() < 30 and apart.min() > 0.5
    assert len(np.unique(apart.round(3))) > 28
