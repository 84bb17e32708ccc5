"""Training: recipes are checked, batches are functions of (seed, step), and a resumed run is the run itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.crops import batch_at, held_crops
from diffuscope.simulation.restaining.sources import BLOCK, Pair, Source, held_out, make_pairs
from diffuscope.systems.registry import build_system
from diffuscope.training.card import make_card, shared_path
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.model import make_starts
from diffuscope.training.module import learning_rate
from diffuscope.training.recipe import Optimisation, Recipe, load_recipe
from diffuscope.training.trainer import fit

RECIPES = Path(__file__).parents[2] / "src/diffuscope/training/recipes"
RECIPE = RECIPES / "stain-ck818-first.yaml"
CROPS = {"patch": 64, "positive_share": 0.5, "dab_threshold": 0.15}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(RECIPE)


@pytest.fixture(scope="module")
def pairs(recipe: Recipe) -> list[Pair]:
    few = recipe.data.model_copy(update={"sources": recipe.data.sources[-2:-1], "phantoms": 1})
    return make_pairs(few, sample_path(), mpp=0.5)


def test_the_demo_s_slide_is_no_training_slide(recipe: Recipe):
    assert "CMU-1-Small-Region.svs" not in {source.file for source in recipe.data.sources}
    for source in recipe.data.sources:
        assert sample_path(source.file).is_file()
        assert source.mpp is None or source.evidence


@pytest.mark.parametrize("name", ["stain-cd3-demo", "stain-ck818-demo"])
def test_the_shipped_models_were_made_by_the_shipped_recipes(name: str):
    from diffuscope.model.folder import load_model

    recipe = load_recipe(RECIPES / f"{name}.yaml")
    model = load_model(recipe.name)
    assert model.system.config == build_system(recipe.system, recipe.config).config
    assert model.card.model_copy(update={"figures": {}}) == recipe.card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"positive_shar": 0.5}, r"'positive_shar': it is not known \(did you mean 'positive_share' in 'data'\?\)\.$"),
        ({"sources": [{"file": "a.svs"}]}, "either data .* or sources"),
        ({"data": {"simulation": "restaining", "stain": "CD3", "sources": []}}, r"'data\.sources'.*at least 1"),
        ({"data": {"simulation": "magic", "stain": "CD3", "sources": [{"file": "a"}]}}, r"'data\.simulation'"),
        ({"data": {"path": ".", "mp": 0.5}}, r"'data\.mp'.*did you mean 'mpp'"),
        ({"card": None}, "simulated data has a card"),
        ({"system": ""}, "give a system, or a model to go on from"),
        ({"optimisation": {"steps": 0}}, r"'optimisation\.steps'"),
        ({"optimisation": {"steps": 5, "learning_rate": -1.0}}, r"'optimisation\.learning_rate.*greater than 0"),
        ({"optimisation": {"steps": 5, "validatons": 3}}, "did you mean 'validations'"),
        ({"optimisation": {"steps": 5, "validation": 3}}, r"'optimisation\.validation': .* mean 'validations'\?"),
        ({"steps": 5}, r"'steps': it is not known \(did you mean 'steps' in 'optimisation'\?\)"),
        ({"data": {"cohort": ["a.csv"], "label": "b", "above": 0, "validat_on": []}}, r"mean 'validate_on'\?"),
        ({"data": {"path": ".", "labels": "b"}}, r"'data\.labels': it is not known\.$"),
        ({"rounds": [{"name": "a", "train": {"all": {"learning_rte": 1}}}]}, r"learning_rte': .* 'learning_rate'\?"),
        ({"rounds": [{"name": "a", "optimisation": {"step": 5}}]}, r"'rounds\.0\.optimisation\.step': .* 'steps'\?"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change, words: str):
    text = yaml.safe_load(RECIPE.read_text(encoding="utf-8")) | change
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(InputError, match=words):
        load_recipe(tmp_path / "r.yaml")


def test_a_wrong_key_of_a_configuration_has_the_nearest_one(recipe: Recipe):
    wrong = recipe.model_copy(update={"config": {"stain": "CD3", "patsh": 64}})
    with pytest.raises(InputError, match=r"'config\.patsh': it is not known \(did you mean 'patch'\?\)\.$"):
        make_starts(wrong)


def test_no_recipe_and_no_yaml_are_said(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "r.yaml").write_text("seed: 1\na: [1\nb: 2")
    with pytest.raises(InputError, match=r"r\.yaml is not YAML at line 3: expected ',' or '\]', but got ':'\.$"):
        load_recipe(tmp_path / "r.yaml")
    for nothing in ("", "- a\n", "words"):
        (tmp_path / "r.yaml").write_text(nothing)
        with pytest.raises(InputError, match=r"r\.yaml cannot be used: it should hold entries, KEY: VALUE\.$"):
            load_recipe(tmp_path / "r.yaml")


def test_an_assumed_resolution_needs_evidence(recipe: Recipe):
    guess = recipe.data.model_copy(update={"sources": (Source(file=recipe.data.sources[-1].file, mpp=0.5),)})
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
    from diffuscope.simulation.restaining import crops as module

    windows = []
    paint = module.paint
    monkeypatch.setattr(
        module, "paint", lambda sample, rng, window: windows.append((sample, window)) or paint(sample, rng, window)
    )
    for step in range(40):
        batch_at(pairs, step, seed=0, size=4, **CROPS)
    near = 0
    for sample, window in windows:
        touched = np.zeros(sample.he.shape[:2], bool)
        touched[window] = True
        blocks = held_out(sample.he.shape[:2])
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
    one, other = (load_recipe(RECIPES / f"stain-{name}.yaml") for name in ("cd3-demo", "ck818-demo"))
    assert other.data.stain == other.config["stain"] == "CK8/18"
    assert one.data.model_copy(update={"stain": "CK8/18"}) == other.data
    # The paper's T and λ are each stain's own, and the sampler belongs to the weights.
    own = {"stain": "", "T": 0, "lambda_seg": 0, "sampler": ""}
    assert one.config | own == other.config | own


def test_the_rate_warms_up_and_ends_at_a_tenth():
    plan = Optimisation(steps=1000, learning_rate=1e-3, warmup=100)
    rates = [learning_rate(step, plan, 1e-3) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert max(rates) == pytest.approx(1e-3)
    assert np.argmax(rates) in (99, 100)
    assert rates[-1] == pytest.approx(1e-4, rel=0.01)


def test_training_learns(pairs: list[Pair], tmp_path: Path):
    draw = partial(batch_at, pairs, seed=0, size=2, **CROPS | {"patch": 32})
    held = batch_at(pairs, 10_000, seed=1, size=8, **CROPS | {"patch": 32})
    plan = Optimisation(steps=30, batch=2, learning_rate=3e-3, warmup=5, keep="last", validations=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 50})

    def loss() -> float:
        with torch.no_grad():
            return float(system.loss(held, torch.Generator().manual_seed(1))["loss"])

    before = loss()
    fit(system, TrainingData(draw, [held]), plan, folder=tmp_path, device=torch.device("cpu"), precision="fp32")
    assert loss() < 0.75 * before


def test_validation_crops_of_a_source_lie_in_its_held_out_blocks(pairs: list[Pair]):
    crops = held_crops(pairs, seed=0, patch=64, dab_threshold=0.15, number=32)
    blocks = [
        pair.sample.he[y * BLOCK : (y + 1) * BLOCK, x * BLOCK : (x + 1) * BLOCK]
        for pair in pairs
        for y, x in np.argwhere(held_out(pair.sample.he.shape[:2]))
    ]
    assert 0 < len(crops) <= len(blocks)
    for crop in crops:
        assert crop["ihc"].shape == (64, 64, 3) and crop["mask"].shape == (64, 64, 1)
        assert any(np.array_equal(crop["he"], block[96:160, 96:160]) for block in blocks)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("recipes/mine.yaml", "recipes/mine.yaml"),
        ("/home/jane/secret project/mine.yaml", "mine.yaml"),
        ("../secret/mine.yaml", "mine.yaml"),
        ("~/secret/mine.yaml", "mine.yaml"),
        (Path.cwd() / "mine.yaml", "mine.yaml"),
    ],
)
def test_a_card_shows_no_folder_of_the_trainer_s_machine(path: Path | str, shown: str):
    assert shared_path(path) == shown


def test_a_card_does_not_call_a_user_s_truth_simulated_for_what_it_began_from(tiny_model: Path, tmp_path: Path):
    """Nor measured where its folder says that it is simulated; what came before is handed on."""
    (tmp_path / "data").mkdir()
    words = {"name": "mine", "data": {"path": "data"}, "optimisation": {"steps": 1}}
    begun, cards = str(tiny_model), []
    for _ in range(2):
        recipe = Recipe.model_validate(words | {"init_from": begun})
        [start] = make_starts(recipe)
        cards.append(make_card(recipe, start, [(recipe.data, {"a": "train"})], tmp_path))
        begun = str(save_model(tmp_path / "tuned", start.system, start.name, start.config, cards[-1]))
    assert cards[0] == cards[1].model_copy(update={"what_it_is": cards[0].what_it_is, "licence": cards[0].licence})
    assert not cards[0].simulated and cards[0].simulated_before == f"{tiny_model.name} (nothing)"
    assert cards[0].trained_on == f"its user's own data, begun from {tiny_model.name} (nothing)"
    assert cards[0].what_it_is.startswith("A StainDiffuser model (virtual CD3 from H&E at 0.5 µm/px) that was trained")
    (tmp_path / "data" / "SIMULATED.txt").write_text("Painted by a rule. More.\n", encoding="utf-8")
    plain = Recipe.model_validate(words | {"system": "staindiffuser", "config": {"stain": "CD3", "size": "tiny"}})
    painted = make_card(plain, make_starts(plain)[0], [(plain.data, {"a": "train"})], tmp_path)
    assert painted.simulated and painted.simulated_before == ""
    assert painted.trained_on == "its user's own data, whose truth is simulated (Painted by a rule)"


def test_a_card_names_the_model_that_it_began_from_and_not_its_place(tiny_model: Path):
    data = {"path": "/home/jane/data", "mpp": 0.5}
    recipe = Recipe.model_validate(
        {"name": "mine", "init_from": str(tiny_model), "data": data, "optimisation": {"steps": 1}}
    )
    [start] = make_starts(recipe)
    card = make_card(recipe, start, [(recipe.data, {"a": "train"})], Path.cwd())
    assert start.origin is not None and f"{tiny_model.name} ({start.origin.hash[:8]}…)" in card.what_it_is
    assert str(tiny_model.parent) not in str(card) and "jane" not in str(card) and "/" not in card.data
