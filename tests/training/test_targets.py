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
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.targets import with_targets
from diffuscope.training.model import make_starts
from diffuscope.training.recipe import Optimisation, load_recipe
from diffuscope.training.trainer import fit

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


@pytest.mark.slow
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
    draws = partial(batch_at, pairs, **CROPS)
    for start in make_starts(recipe.model_copy(update={"config": recipe.config | {"size": "tiny"}, "init_from": None})):
        data = with_targets(TrainingData(draws, [draws(8)]), start.system)
        assert data.validation[0].keys() == data.batch_at(0).keys()
        for step in range(2):
            loss = start.system.loss(data.batch_at(step), torch.Generator().manual_seed(step))["loss"]
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
    crops = batch_at(tissue_pairs[:1], 0, **CROPS)
    config = {"stain": "CD3", "size": "tiny", "auxiliary": "distance", "distance_um": 3.0}
    batch = build_system("staindiffuser", config).derive(crops)
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


@pytest.mark.slow
def test_learned_masks_are_nearer_to_the_truth_than_the_noisy_ones_they_were_learned_from(tmp_path: Path):
    """On held-out images: what is wrong with a threshold changes from slide to slide, and so it is not learned."""
    plan = Optimisation(steps=60, learning_rate=4e-3, warmup=0, ema=0.9, keep="last")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("cell-masks", {"stain": "CD3"})
    data = TrainingData(lambda step: varied(step)[0], [])
    fit(system, data, plan, folder=tmp_path, device=torch.device("cpu"), precision="fp32")
    noisy, learned = [], []
    for step in range(1000, 1008):
        batch, truth = varied(step)
        noisy.append(dice(batch["mask"], truth))
        learned.append(dice(system.draw(batch["ihc"]), truth))
    assert np.mean(learned) > np.mean(noisy) + 0.1


def test_drawn_masks_take_the_place_of_the_others_in_training_and_in_validation():
    def draw(ihc: torch.Tensor) -> torch.Tensor:
        return (ihc.mean(dim=1, keepdim=True) > 200).float()

    before = TrainingData(lambda step: varied(step)[0], [varied(50)[0]])
    after = with_targets(before, build_system("staindiffuser", {"stain": "CD3", "size": "tiny"}), draw)
    for one, other in ((before.batch_at(3), after.batch_at(3)), (before.validation[0], after.validation[0])):
        assert torch.equal(other["mask"], draw(one["ihc"])) and torch.equal(other["ihc"], one["ihc"])
        assert not torch.equal(other["mask"], one["mask"])


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
