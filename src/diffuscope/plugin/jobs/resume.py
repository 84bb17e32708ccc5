"""An unfinished result gone on with from the dock: its record says how it was begun, an open slide is its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.run import Given, Request
from diffuscope.plugin.jobs.scratch import scratch_name
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts, finest, input_placement, slide_facts
from diffuscope.plugin.layers.inputs.held import held
from diffuscope.results.result import Result
from diffuscope.tiling.region import parse_region


def request_to_resume(result: Result, layers: list[Any], model: ModelFacts | None) -> Request:
    """Ask for the rest of an unfinished result.

    Parameters
    ----------
    result : Result
        Incomplete.
    layers : list of napari layers
        The open slides; the one with the name of the result's input is taken. That it is the same file is checked
        by its fingerprint when the run begins.
    model : ModelFacts or None
        The chosen model: a record holds names only, so a model from a folder must be chosen again.

    Raises
    ------
    InputError
        The slide is not open.
    """
    inputs, layer = [], None
    given: dict[str, dict[str, str] | str] = {}
    for key, stated in result.record["inputs"].items():
        if typed := stated.get("text", stated.get("row")):
            is_text = isinstance(typed, str)
            given[key] = typed if is_text else {name: str(one) for name, one in typed.items() if one is not None}
            continue
        found, facts = find_layer(stated, layers, f"to go on with {result.path.name}")
        layer = layer or found
        pixels = None if facts.path else held(finest(found), found.name)
        inputs.append(Given(key=key, facts=facts, pixels=pixels, channel=stated.get("channel_number")))
    first = next((one for one in result.record["inputs"].values() if "mpp_stated" in one), None)
    name = result.record["model"]["name"]
    chosen = result.record["parameters"]
    return Request(
        inputs=tuple(inputs),
        given=given,
        placement=input_placement(layer) if layer is not None else None,
        region=parse_region(chosen["region"]) if chosen["region"] else None,
        settings={
            "model": model.name if model is not None and Path(model.name).name == name else name,
            "out": result.path,
            "mpp": first["mpp"] if first and first["mpp"] != first["mpp_stated"] else None,
            **{key: chosen[key] for key in ("quality", "sampler", "steps", "samples", "seed")},
            **{key: chosen[key] for key in ("slices", "options") if chosen.get(key)},
            **({"want": chosen["wanted"]} if chosen.get("wanted") else {}),
            **({"normalise": False} if chosen.get("normalise") is False else {}),
            "resume": True,
        },
        overwrite=False,
    )


def find_layer(stated: dict[str, Any], layers: list[Any], why: str) -> tuple[Any, SlideFacts]:
    """Return the layer of the file of an input, of its channel where one was taken; or that whose pixels it had.

    Parameters
    ----------
    stated : dict
        What the run record tells of the input.
    layers : list of napari layers
        Among which to look.
    why : str
        What it is needed for, as an error says it.

    Raises
    ------
    InputError
        It is not among them.
    """
    for layer in layers:
        facts = slide_facts(layer)
        if stated["name"] in names_of(facts) and _is_channel(facts.channel, stated):
            return layer, facts
    raise InputError(f"Open {stated['name']} {why}.")


def names_of(facts: SlideFacts) -> list[str]:
    """Return the names by which a record may call the input that a layer was."""
    if facts.path is not None:
        return [facts.path.name]
    # before, a copy of a layer went by the name of its temporary file
    copies = [facts.name, *(scratch_name(facts.name, ending) for ending in (".ome.tif", ".nii", ".nii.gz"))]
    return [facts.file.name, *copies] if facts.file is not None else copies


def _is_channel(channel: int | None, stated: dict[str, Any]) -> bool:
    return channel in (None, stated.get("channel_number", channel))
