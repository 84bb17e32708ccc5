"""What a training was begun with, and whether a recipe says the same: only then it is gone on with."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.training.recipe import Recipe

#: Where a run folder says what it was begun with.
RECIPE = "recipe.json"


def plain(recipe: Recipe) -> dict[str, object]:
    """Return what weights depend on, as JSON gives it back."""
    return json.loads(recipe.model_dump_json(exclude={"card", "name"}))


def check_same(recipe: Recipe, folder: Path) -> None:
    """Refuse to go on with what another recipe began.

    Raises
    ------
    InputError
        The run folder was begun with another recipe, or with none that can be read.
    """
    old, new = _flat(_begun(folder / RECIPE, recipe)), _flat(plain(recipe))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise InputError(
                f"{folder.name} was begun with {key} {old.get(key)} and the recipe now says {new.get(key)}: "
                "put it back to resume, or say --overwrite to begin again."
            )


def _begun(path: Path, recipe: Recipe) -> dict[str, object]:
    """Return what a training was begun with, by today's words where an older version began it."""
    stated = json.loads(path.read_text(encoding="utf-8")) | {"name": recipe.name, "card": recipe.card}
    try:
        return plain(Recipe.model_validate(stated))
    except ValidationError:
        raise InputError(f"{path} is no recipe that can be gone on with: say --overwrite to begin again.") from None


def _flat(value: object, at: str = "") -> dict[str, object]:
    """Return the leaves of JSON by their place, as in ``"rounds.0.optimisation.steps"``."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: leaf for key, one in items for k, leaf in _flat(one, f"{at}.{key}" if at else str(key)).items()}
    return {at: value}
