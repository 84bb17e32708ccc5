"""What each dock was last run with, kept from window to window."""

from __future__ import annotations

import json
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
    path = kept_file()
    settings = {"model": form.model.name, **{name: getattr(form, name) for name in _FIELDS}}
    with suppress(OSError, InputError):  # to be asked again is no harm
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(path, replace=True) as part:
            part.write_text(json.dumps(_read(path) | {form.kind.title: settings}, indent=1))


def last_model(form: RunForm, known: list[ModelFacts]) -> ModelFacts | None:
    """Return the model that a dock was last run with, where it is there."""
    name = _of(form).get("model")
    return next((model for model in known if model.name == name), None)


def take_up(form: RunForm) -> None:
    """Fill a form in as its dock was last run, as far as that still holds for the model that is chosen."""
    last, model = _of(form), form.model
    if model is None or last.get("model") != model.name:
        return
    allowed = {"quality": model.presets, "device": DEVICES, "region": form.kind.scope.regions}
    for name in _FIELDS:
        value = last.get(name)
        if type(value) is type(getattr(form, name)) and value in allowed.get(name, (value,)):
            setattr(form, name, value)


def _of(form: RunForm) -> dict[str, Any]:
    found = _read(kept_file()).get(form.kind.title, {})
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
