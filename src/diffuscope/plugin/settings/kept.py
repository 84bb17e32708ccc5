"""What each dock was last run with, kept from window to window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from diffuscope.errors import InputError
from diffuscope.files.put import in_place_of
from diffuscope.plugin.forms.run import DEVICES, RunForm
from diffuscope.plugin.layers.facts import ModelFacts

# What belongs to one run is not kept: a seed, the steps of a trial, a place.
_FIELDS = ("quality", "samples", "device", "scheduler", "region")


def kept_file() -> Path:
    """Where it is kept."""
    return platformdirs.user_config_path("diffuscope") / "docks.json"


def keep(form: RunForm) -> None:
    """Keep what a dock is run with."""
    if form.model is None:
        return
    put(form.kind.title, {"model": form.model.name, **{name: getattr(form, name) for name in _FIELDS}})


def last_model(form: RunForm, known: list[ModelFacts]) -> ModelFacts | None:
    """Return the model that a dock was last run with, where it is there."""
    name = last(form.kind.title).get("model")
    return next((model for model in known if model.name == name), None)


def take_up(form: RunForm) -> None:
    """Fill a form in as its dock was last run, as far as that still holds for the model that is chosen."""
    found, model = last(form.kind.title), form.model
    if model is None or found.get("model") != model.name:
        return
    allowed = {"quality": model.presets, "device": DEVICES, "region": form.kind.scope.regions}
    for name in _FIELDS:
        value = found.get(name)
        if type(value) is type(getattr(form, name)) and value in allowed.get(name, (value,)):
            setattr(form, name, value)


def put(dock: str, settings: Mapping[str, Any]) -> None:
    """Keep settings of a dock, by its title."""
    path = kept_file()
    with suppress(OSError, InputError):  # to be asked again is no harm
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(path, replace=True) as part:
            part.write_text(json.dumps(_read(path) | {dock: dict(settings)}, indent=1))


def last(dock: str) -> dict[str, Any]:
    """Return the settings that are kept of a dock; none where there are none."""
    found = _read(kept_file()).get(dock, {})
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
