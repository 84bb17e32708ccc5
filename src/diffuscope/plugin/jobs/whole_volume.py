"""From some slices of a volume, looked at first, to all of them: by the settings that these were made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.jobs.resume import names_of
from diffuscope.plugin.layers.facts import own_metadata, slide_facts
from diffuscope.results.result import Result


def take_settings(form: RunForm, result: Result) -> None:
    """Fill a form in as a result was made, but for all slices.

    Noise, tiles and ranges of intensity belong to the volume and not to the run, so the slices that are there come out
    as they are.

    Raises
    ------
    InputError
        Another model is chosen.
    """
    made_by, chosen = result.record["model"], result.record["parameters"]
    if form.model is None or Path(form.model.name).name != made_by["name"]:
        raise InputError(f"{result.path.name} was made by {made_by['title']}: choose that model to go on with it.")
    sampler, _ = form.model.presets.get(chosen["quality"], ("", 0))
    form.quality = chosen["quality"]
    form.sampler = "" if chosen["sampler"] == sampler else chosen["sampler"]
    is_own = chosen["steps"] == form.model.steps_of(form.quality, form.sampler)
    form.steps = 0 if is_own else chosen["steps"]
    form.samples, form.seed = chosen["samples"], chosen["seed"]
    form.options = dict(chosen.get("options", {}))
    wanted = chosen.get("wanted", ())
    form.ticked = {port.key: port.key in wanted for port in form.model.goals} if wanted else {}
    form.region, form.within = "volume", bool(chosen["region"])


def layers_of(result: Result, layers: list[Any], chosen: tuple[Any, ...] = ()) -> list[Any]:
    """Return the layer of each input of a result, one that is chosen before others; None where it is not open.

    By the name of its file, or the name that a layer without one was given, and by where its voxels lie.
    """
    found = []
    for stated in result.record["inputs"].values():
        among = [layer for layer in (*chosen, *layers) if layer is not None]
        found.append(next((layer for layer in among if _is(layer, stated)), None))
    return found


def open_inputs(result: Result, layers: list[Any], chosen: tuple[Any, ...] = ()) -> list[Any]:
    """Return the layer of each input of a result.

    Raises
    ------
    InputError
        One of them is not open.
    """
    found = layers_of(result, layers, chosen)
    for stated, layer in zip(result.record["inputs"].values(), found, strict=True):
        if layer is None:
            raise InputError(f"Open {stated['name']} to go on with {result.path.name}.")
    return found


def _is(layer: Any, stated: dict[str, Any]) -> bool:
    facts, lattice = slide_facts(layer), own_metadata(layer).get("lattice")
    return stated["name"] in names_of(facts) and lattice in (None, stated.get("lattice"))
