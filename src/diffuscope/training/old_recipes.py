"""Recipes as they were written before: read as what they say in today's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the teacher needs to know stood beside the recipe's own entries.
_RESTAINING = ("stain", "stains", "sources", "positive_share", "phantoms", "phantom_weight")


def modern(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's entries in today's form; one that has it already is returned as it is.

    - ``sources``, ``stain``, ``phantoms`` … at the top are ``data`` with ``simulation: restaining``.

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
    if "sources" in recipe:
        if "data" in recipe:
            raise ValueError("give either data (your own cases) or sources (H&E for the teacher), and not both")
        taught = {key: recipe.pop(key) for key in _RESTAINING if key in recipe}
        recipe["data"] = {"simulation": "restaining", **taught}
    return recipe
