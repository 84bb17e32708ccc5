"""Recipes as they were written before: read as what they say in today's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the teacher needs to know stood beside the recipe's own entries.
_RESTAINING = ("stain", "stains", "sources", "positive_share", "phantoms", "phantom_weight")

# What the mask network's configuration has in common with StainDiffuser's, and how it was trained.
_MASKS = ("stain", "mpp", "patch")
_LEARNING = {"steps": 400, "learning_rate": 2e-3, "warmup": 0, "ema": 0.98, "validations": 1, "keep": "last"}


def modern(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's entries in today's form; one that has it already is returned as it is.

    - ``sources``, ``stain``, ``phantoms`` … at the top are ``data`` with ``simulation: restaining``.
    - ``stage`` in the configuration of a DAMM-Diffusion is the objective of its only round.
    - ``masks: learned`` is a round that trains a mask network first. It was trained by a loop of its own, and its masks
      differ in a few px from those of today.

    Parameters
    ----------
    given : mapping
        As YAML gives it.

    Raises
    ------
    ValueError
        It says both what it used to say and what is said today.
    """
    recipe = dict(given)
    taught = {key: recipe.pop(key) for key in _RESTAINING if key in recipe}
    if taught.get("sources"):
        if recipe.get("data"):
            raise ValueError("give either data (your own cases) or sources (H&E for the teacher), and not both")
        recipe["data"] = {"simulation": "restaining", **taught}
    config = recipe.get("config")
    config = config if isinstance(config, dict) else {}
    if "stage" in config:
        recipe["config"] = {key: value for key, value in config.items() if key != "stage"}
        recipe["rounds"] = [{"name": str(config["stage"]), "objective": config["stage"]}]
    if recipe.pop("masks", None) == "learned":
        plan = recipe.get("optimisation")
        alike = {key: plan[key] for key in ("batch", "seed") if key in plan} if isinstance(plan, dict) else {}
        shared = {key: config[key] for key in _MASKS if key in config}
        recipe["rounds"] = [
            {"name": "masks", "system": "cell-masks", "config": shared, "optimisation": _LEARNING | alike},
            {"name": "staining", "masks": "masks"},
        ]
    return recipe
