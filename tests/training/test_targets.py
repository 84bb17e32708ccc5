"""What auxiliary tasks learn: pairs of several stains, learned masks, distances, and the recipes that ask for them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.crops import batch_at
from diffuscope.simulation.restaining.sources import Pair, Restaining, make_pairs
from diffuscope.simulation.restaining.teacher import prepare
from diffuscope.simulation.tissue import simulate_tissue
from diffuscope.stains import HDAB, combine, signed_distance
from diffuscope.systems.registry import build_system
from diffuscope.training.data.masks import learn_masks
from diffuscope.training.data.targets import with_distance, with_learned_masks, with_targets
from diffuscope.training.recipe import load_recipe

RECIPES = Path(__file__).parents[2] / "src/diffuscope/training/recipes"
CROPS = {"patch": 64, "positive_share": 0.5, "dab_threshold": 0.15, "seed": 0, "size": 2}


@pytest.fixture(scope="module")
def tissue_pairs() -> list[Pair]:
    """One simulated tissue painted for each stain."""
    tissue = simulate_tissue(0, mpp=0.5)
    return [
        Pair(stain, prepare(tissue.he, stain, mpp=0.5, labels=tissue.labels), 1.0, key)
        for stain, key in (("CD3", "ihc_cd3"), ("CK8/18", "ihc_ck818"))
    ]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(RECIPES.glob("*.yaml")) if isinstance(load_recipe(path).data, Restaining)],
    ids=lambda path: path.stem,
)
def test_every_recipe_trains_its_system(path: Path):
    """One step of each, with the smallest network on one source: what the data yield is what the loss needs."""
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    # λ and T are stated, never left to a default
    assert "T" in recipe.config and ("lambda_seg" in recipe.config) == (recipe.system == "staindiffuser")
    assert recipe.config.get("lambdas", [1.0]) and ("lambdas" in recipe.config) == bool(recipe.data.stains)
    few = recipe.data.model_copy(update={"sources": recipe.data.sources[-2:-1], "phantoms": 0})
    pairs = make_pairs(few, sample_path(), mpp=0.5)
    batches = with_targets(partial(batch_at, pairs, **CROPS), recipe.model_copy(update={"masks": "threshold"}))
    system = build_system(recipe.system, recipe.config | {"size": "tiny"})
    for step in range(2):
        loss = system.loss(batches(step), torch.Generator().manual_seed(step))["loss"]
        loss.backward()
        assert loss.isfinite()


def test_stains_take_turns_and_no_batch_holds_two(tissue_pairs: list[Pair]):
    draw = partial(batch_at, tissue_pairs, **CROPS)
    keys = [{key for key in draw(step) if key.startswith("ihc")} for step in range(4)]
    assert keys == [{"ihc_cd3"}, {"ihc_ck818"}] * 2
    # the stain of a step is that of a training set of this stain alone
    alone = batch_at([tissue_pairs[1]], 3, **CROPS)
    assert all(torch.equal(value, alone[key]) for key, value in draw(3).items())


def test_the_distance_is_that_of_the_mask_of_its_crop(tissue_pairs: list[Pair]):
    batches = with_distance(partial(batch_at, tissue_pairs[:1], **CROPS), {"stain": "CD3", "distance_um": 3.0})
    batch = batches(0)
    assert 0 < batch["mask"].mean() < 1
    for mask, distance in zip(batch["mask"][:, 0].numpy(), batch["distance"][:, 0].numpy(), strict=True):
        np.testing.assert_array_equal(distance, signed_distance(mask > 0, mpp=0.5, limit=3.0))
    assert batch["distance"].shape == batch["mask"].shape


def varied(step: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Four IHCs of round cells, with the masks of thresholds that are now too low, now too high, and the truth."""
    rng = np.random.default_rng(step)
    images, masks, truths = [], [], []
    for threshold in (0.05, 0.15, 0.3, 0.42):
        seeds = np.zeros((64, 64))
        seeds[rng.integers(0, 64, 6), rng.integers(0, 64, 6)] = 1
        truth = ndimage.distance_transform_edt(seeds == 0) <= 5
        dab = 0.5 * ndimage.gaussian_filter(truth.astype(float), 1.0) + rng.normal(0, 0.05, truth.shape)
        counterstain = np.full_like(dab, 0.15)
        images.append(combine(np.stack([counterstain, dab.clip(0), np.zeros_like(dab)], axis=-1), HDAB))
        masks.append(dab > threshold)
        truths.append(truth)
    ihc = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    mask, truth = (torch.from_numpy(np.stack(parts))[:, None].float() for parts in (masks, truths))
    return {"ihc": ihc, "mask": mask}, truth


def dice(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float(2 * (found * truth).sum() / (found.sum() + truth.sum()))


def test_learned_masks_are_nearer_to_the_truth_than_the_noisy_ones_they_were_learned_from():
    """On held-out images: what is wrong with a threshold changes from slide to slide, and so it is not learned."""
    model = learn_masks(lambda step: varied(step)[0], steps=60)
    noisy, learned = [], []
    for step in range(1000, 1008):
        batch, truth = varied(step)
        noisy.append(dice(batch["mask"], truth))
        learned.append(dice(model(batch["ihc"]), truth))
    assert np.mean(learned) > np.mean(noisy) + 0.1


def test_learned_masks_are_the_same_each_time_and_take_the_place_of_the_others():
    state = torch.get_rng_state()
    one, again = (learn_masks(lambda step: varied(step)[0], steps=3, seed=4) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    batch, _ = varied(50)
    assert torch.equal(one(batch["ihc"]), again(batch["ihc"]))
    found = with_learned_masks(lambda step: varied(step)[0], one)(50)
    assert torch.equal(found["mask"], one(batch["ihc"])) and torch.equal(found["ihc"], batch["ihc"])
    assert set(found["mask"].unique().tolist()) <= {0.0, 1.0}


def test_a_recipe_that_asks_for_learned_masks_gets_them(monkeypatch: pytest.MonkeyPatch):
    from diffuscope.training.data import targets

    recipe = load_recipe(RECIPES / "stain-cd3-learned-masks.yaml")
    monkeypatch.setattr(targets, "learn_masks", lambda batches, *, seed: lambda ihc: torch.ones(len(ihc), 1, 64, 64))
    assert with_targets(lambda step: varied(step)[0], recipe)(0)["mask"].min() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stains": ["CD3"]}, "either stain or stains"),
        ({"stain": None}, "either stain or stains"),
    ],
)
def test_a_recipe_states_its_stain_or_its_stains(tmp_path: Path, change, words: str):
    text = yaml.safe_load((RECIPES / "stain-cd3-demo.yaml").read_text(encoding="utf-8"))
    text["data"] |= change
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(InputError, match=words):
        load_recipe(tmp_path / "r.yaml")


def test_the_teacher_paints_every_source_for_every_stain():
    data = load_recipe(RECIPES / "stain-cd3-ck818-multi.yaml").data
    few = data.model_copy(update={"sources": data.sources[-2:-1], "phantoms": 1})
    pairs = make_pairs(few, sample_path(), mpp=0.5)
    assert [(pair.name, pair.key) for pair in pairs] == [
        (name, key) for key in ("ihc_cd3", "ihc_ck818") for name in (few.sources[0].file, "phantom 0")
    ]
