"""Training: recipes are checked, batches are functions of (seed, step), and a resumed run is the run itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.systems.registry import build_system
from diffuscope.training.pairs import BLOCK, Pair, batch_at, held_out, make_pairs
from diffuscope.training.recipe import Optimisation, Recipe, Source, load_recipe
from diffuscope.training.trainer import learning_rate, train

RECIPES = Path(__file__).parents[2] / "src/diffuscope/training/recipes"
RECIPE = RECIPES / "stain-cd3-demo.yaml"
CROPS = {"patch": 64, "positive_share": 0.5, "dab_threshold": 0.15}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(RECIPE)


@pytest.fixture(scope="module")
def pairs(recipe: Recipe) -> list[Pair]:
    few = recipe.model_copy(update={"sources": recipe.sources[-2:-1], "phantoms": 1})
    return make_pairs(few, sample_path(), mpp=0.5)


def test_the_demo_s_slide_is_no_training_slide(recipe: Recipe):
    assert "CMU-1-Small-Region.svs" not in {source.file for source in recipe.sources}
    for source in recipe.sources:
        assert sample_path(source.file).is_file()
        assert source.mpp is None or source.evidence


@pytest.mark.parametrize("name", ["stain-cd3-demo", "stain-ck818-demo"])
def test_the_shipped_models_were_made_by_the_shipped_recipes(name: str):
    from diffuscope.zoo import load_model

    recipe = load_recipe(RECIPES / f"{name}.yaml")
    model = load_model(recipe.name)
    assert model.system.config == build_system(recipe.system, recipe.config).config
    assert model.card.model_copy(update={"figures": {}}) == recipe.card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"positive_shar": 0.5}, "did you mean 'positive_share'"),
        ({"sources": []}, "'sources'"),
        ({"optimisation": {"steps": 0}}, r"'optimisation\.steps'"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change, words: str):
    text = yaml.safe_load(RECIPE.read_text(encoding="utf-8")) | change
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(InputError, match=words):
        load_recipe(tmp_path / "r.yaml")


def test_no_recipe_and_no_yaml_are_said(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "r.yaml").write_text("a: [1")
    with pytest.raises(InputError, match="is not YAML"):
        load_recipe(tmp_path / "r.yaml")


def test_an_assumed_resolution_needs_evidence(recipe: Recipe):
    guess = recipe.model_copy(update={"sources": (Source(file=recipe.sources[-1].file, mpp=0.5),)})
    with pytest.raises(InputError, match="on what evidence"):
        make_pairs(guess, sample_path(), mpp=0.5)


def test_a_batch_is_a_function_of_seed_and_step(pairs: list[Pair]):
    draw = partial(batch_at, pairs, size=2, **CROPS)
    one, again, later, other = draw(3, seed=0), draw(3, seed=0), draw(4, seed=0), draw(3, seed=1)
    assert {key: tuple(value.shape) for key, value in one.items()} == {
        "he": (2, 3, 64, 64), "ihc": (2, 3, 64, 64), "mask": (2, 1, 64, 64),
    }  # fmt: skip
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["he"], later["he"]) and not torch.equal(one["he"], other["he"])


def test_crops_are_registered_and_brown_only_where_the_mask_is(pairs: list[Pair]):
    batches = [batch_at(pairs, step, seed=0, size=4, **CROPS | {"positive_share": 1.0}) for step in range(4)]
    ihc, mask = (torch.cat([batch[key] for batch in batches]) for key in ("ihc", "mask"))
    brown = (ihc[:, 0] - ihc[:, 2])[:, None]
    assert 0 < mask.mean() < 0.4
    assert brown[mask > 0].mean() > 20 > brown[mask == 0].mean()


def test_no_crop_touches_a_held_out_block(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch):
    from diffuscope.training import pairs as module

    windows = []
    paint = module.paint
    monkeypatch.setattr(
        module, "paint", lambda lesson, rng, window: windows.append((lesson, window)) or paint(lesson, rng, window)
    )
    for step in range(40):
        batch_at(pairs, step, seed=0, size=4, **CROPS)
    near = 0
    for lesson, window in windows:
        touched = np.zeros(lesson.he.shape[:2], bool)
        touched[window] = True
        blocks = held_out(lesson.he.shape[:2])
        assert blocks.sum() == 1
        for row, column in zip(*np.nonzero(blocks), strict=True):
            block = np.s_[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
            assert not touched[block].any()
        near += bool(touched[BLOCK:].any() or touched[:, BLOCK:].any())
    assert near


def test_one_block_in_eight_of_a_slide_is_held_out_and_no_two_are_neighbours():
    blocks = held_out((24 * BLOCK, 16 * BLOCK))
    assert blocks.mean() == 1 / 8
    for axis in (0, 1):
        assert not (blocks & np.roll(blocks, 1, axis)).any()


def test_the_other_recipe_differs_in_the_stain_alone():
    one, other = (load_recipe(RECIPES / f"stain-{stain}-demo.yaml") for stain in ("cd3", "ck818"))
    assert other.stain == other.config["stain"] == "CK8/18"
    assert one.sources == other.sources and one.optimisation == other.optimisation
    assert one.config | {"stain": "", "T": 0} == other.config | {"stain": "", "T": 0}


def test_the_rate_warms_up_and_ends_at_a_tenth():
    plan = Optimisation(steps=1000, learning_rate=1e-3, warmup=100)
    rates = [learning_rate(step, plan) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert max(rates) == pytest.approx(1e-3)
    assert np.argmax(rates) in (99, 100)
    assert rates[-1] == pytest.approx(1e-4, rel=0.01)


def run(system, pairs, plan: Optimisation, checkpoint: Path, stop: int | None = None) -> list[float]:
    draw = partial(batch_at, pairs, seed=plan.seed, size=plan.batch, **CROPS | {"patch": 32})
    losses = []
    reports = train(system, draw, plan, checkpoint=checkpoint, device=torch.device("cpu"), bf16=False, every=3)
    for report in reports:
        losses.append(report["loss"])
        if report["step"] == stop:
            break
    return losses


def fresh():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 50})


def test_a_resumed_run_is_the_run_itself(pairs: list[Pair], tmp_path: Path):
    plan = Optimisation(steps=8, batch=2, learning_rate=1e-3, warmup=2)
    whole, cut = fresh(), fresh()
    losses = run(whole, pairs, plan, tmp_path / "whole.pt")
    # stopped after step 5; the last checkpoint is of step 3
    first = run(cut, pairs, plan, tmp_path / "cut.pt", stop=5)
    again = fresh()
    rest = run(again, pairs, plan, tmp_path / "cut.pt")
    assert first[:3] + rest == losses
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_learns(pairs: list[Pair], tmp_path: Path):
    system = fresh()
    held = batch_at(pairs, 10_000, seed=1, size=8, **CROPS | {"patch": 32})

    def loss() -> float:
        with torch.no_grad():
            return float(system.loss(held, torch.Generator().manual_seed(1))["loss"])

    before = loss()
    run(system, pairs, Optimisation(steps=30, batch=2, learning_rate=3e-3, warmup=5), tmp_path / "c.pt")
    assert loss() < 0.75 * before


def test_what_is_left_is_the_average_of_the_weights(pairs: list[Pair], tmp_path: Path):
    plan = Optimisation(steps=4, batch=1, learning_rate=1e-2, warmup=0, ema=0.5)
    system, steps = fresh(), []
    parameter = next(system.parameters())
    draw = partial(batch_at, pairs, seed=0, size=1, **CROPS | {"patch": 32})
    average = parameter.detach().clone()
    for report in train(system, draw, plan, checkpoint=tmp_path / "c.pt", device=torch.device("cpu"), bf16=False):
        decay = min(0.5, report["step"] / (report["step"] + 9))
        average = decay * average + (1 - decay) * parameter.detach()
        steps.append(parameter.detach().clone())
    torch.testing.assert_close(parameter.detach(), average)
    assert not torch.equal(parameter.detach(), steps[-1])
