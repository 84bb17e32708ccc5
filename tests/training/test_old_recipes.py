"""Recipes as they were written before are what they say today."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.crops import batch_at
from diffuscope.simulation.restaining.sources import make_pairs
from diffuscope.training.old_recipes import modern
from diffuscope.training.plan import plan_rounds
from diffuscope.training.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "src/diffuscope/training/recipes"


def written(name: str) -> dict[str, Any]:
    return yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))


def as_before(recipe: dict[str, Any]) -> dict[str, Any]:
    """Write a recipe with the teacher's entries at its top, as all were."""
    old = deepcopy(recipe)
    data = old.pop("data")
    assert data.pop("simulation") == "restaining"
    return old | data


@pytest.mark.parametrize("name", ["stain-cd3-demo", "stain-cd3-ck818-multi"])
def test_the_teacher_s_entries_at_the_top_are_simulated_data(name: str):
    today = written(name)
    old = as_before(today)
    assert "sources" in old and "data" not in old
    assert Recipe.model_validate(old) == Recipe.model_validate(today)


def test_learned_masks_are_a_round():
    today = written("stain-cd3-learned-masks")
    old = as_before(today) | {"masks": "learned"}
    del old["rounds"]
    assert Recipe.model_validate(old) == Recipe.model_validate(today)
    # What every run folder of before states of its recipe.
    plain = as_before(written("stain-cd3-demo")) | {"masks": "threshold"}
    assert Recipe.model_validate(plain) == Recipe.model_validate(written("stain-cd3-demo"))


def test_a_stage_of_damm_diffusion_is_the_objective_of_its_round():
    plan = {"steps": 2}
    old = {
        "name": "x",
        "init_from": "y",
        "data": {"path": "z"},
        "config": {"stage": "divergence"},
        "optimisation": plan,
    }
    (planned,) = plan_rounds(Recipe.model_validate(old))
    assert planned.objective == "divergence" and not planned.config and planned.data.path == "z"
    assert Recipe.model_validate(old).config == {}


def test_what_a_run_folder_of_before_states_of_one_s_own_cases():
    empty = {"stain": None, "stains": [], "sources": [], "positive_share": 0.5, "phantoms": 0, "phantom_weight": 1.0}
    recipe = {"name": "x", "system": "y", "data": {"path": "z"}, "optimisation": {"steps": 2}}
    assert Recipe.model_validate(recipe | empty | {"masks": "threshold"}) == Recipe.model_validate(recipe)


def test_a_recipe_of_today_is_left_as_it_is():
    for path in RECIPES.glob("*.yaml"):
        assert modern(written(path.stem)) == written(path.stem)


@pytest.mark.slow
def test_old_and_new_give_the_same_batches():
    today = written("stain-cd3-ck818-multi")
    today["data"] |= {"sources": today["data"]["sources"][-2:-1], "phantoms": 1}
    batches = []
    for recipe in (Recipe.model_validate(today), Recipe.model_validate(as_before(today))):
        share = recipe.data.positive_share
        pairs = make_pairs(recipe.data, sample_path(), mpp=0.5)
        batches.append(partial(batch_at, pairs, seed=0, size=2, patch=64, positive_share=share, dab_threshold=0.2))
    for step in range(4):
        one, other = (draw(step) for draw in batches)
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
