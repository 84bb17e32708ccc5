"""What a run folder states of its recipe, and whether a recipe may go on with what another one began."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from diffuscope.errors import InputError
from diffuscope.files.place import Kind, parts_named
from diffuscope.training.recipe import Recipe

RECIPE = "recipe.json"
#: Part of each case, a mapping a round; run folders of before have none.
PARTS = "parts.json"
_PARTS = TypeAdapter(list[dict[str, str]])
_DID = {"train": "training", "validation": "validating"}
_DOES = {"train": "trains", "validation": "validates"}
#: A run folder; of several rounds each has a folder in it.
TRAINING = Kind(
    "a training of Diffuscope",
    lambda path: (path / RECIPE).is_file(),
    parts=parts_named(
        r"recipe\.json|parts\.json|(?:\d+-[^/]+/)?(?:log\.csv|(?:model|weights)\.safetensors|"
        r"checkpoints/step-\d+\.ckpt|\.lr_find_[^/]+\.ckpt|"
        r"validation/step-\d+\.png|tensorboard/(?:.*/)?(?:events\.out\.tfevents\.[^/]+|hparams\.yaml))"
    ),
)


def stated(recipe: Recipe) -> dict[str, object]:
    """Return what weights depend on, as JSON gives it back."""
    return json.loads(recipe.model_dump_json(exclude={"card", "name"}))


def check_same(recipe: Recipe, begun: Path) -> None:
    """Refuse to go on with what another recipe began; one that an older version began may have other words for it.

    Parameters
    ----------
    recipe : Recipe
        What is to go on.
    begun : Path
        JSON file of what `stated` returned.

    Raises
    ------
    InputError
        Names the first entry that differs.
    """
    entries = json.loads(begun.read_text(encoding="utf-8")) | {"name": recipe.name, "card": recipe.card}
    try:
        old = _flat(stated(Recipe.model_validate(entries)))
    except ValidationError:
        raise InputError(f"{begun} is no recipe that can be gone on with: say --overwrite to begin again.") from None
    new = _flat(stated(recipe))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise InputError(
                f"{begun.parent.name} was begun with {key} {old.get(key)} and the recipe now says {new.get(key)}: "
                "put it back to resume, or say --overwrite to begin again."
            )


def check_same_cases(parts: Sequence[Mapping[str, str]], begun: Path) -> None:
    """Refuse to go on with other cases: who trained before would validate, and the best weights be chosen by them.

    Parameters
    ----------
    parts : sequence of mapping of str to str
        Of each round, part by case.
    begun : Path
        JSON file of what they were; where there is none nothing is known of them, and all is well.

    Raises
    ------
    InputError
        Names the first case that moved, came or went. Those that test are never read, and do not count.
    """
    if not begun.is_file():
        return
    try:
        before = _PARTS.validate_json(begun.read_bytes())
    except ValidationError:
        raise InputError(f"{begun} states no parts of cases: say --overwrite to begin again.") from None
    for old, new in zip(before, parts, strict=False):
        for name in sorted(old.keys() | new.keys()):
            did, does = _DID.get(old.get(name, "")), _DOES.get(new.get(name, ""))
            if _DID.get(new.get(name, "")) != did:
                raise InputError(
                    f"{begun.parent.name} was begun with case {name} {did or 'not in it'}, which now "
                    f"{does or 'is not in it'}: put the data back as they were to resume, or say --overwrite to begin "
                    "again."
                )


def _flat(value: object, at: str = "") -> dict[str, object]:
    """Return the leaves of JSON by their place, as in ``"rounds.0.optimisation.steps"``."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: leaf for key, one in items for k, leaf in _flat(one, f"{at}.{key}" if at else str(key)).items()}
    return {at: value}
