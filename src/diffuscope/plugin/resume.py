"""An unfinished result gone on with from the dock: its record says how it was begun, an open slide is its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.facts import ModelFacts, slide_facts
from diffuscope.plugin.results import layer_placement
from diffuscope.plugin.stain import Request
from diffuscope.tiling.plan import parse_region
from diffuscope.tiling.result import Result


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
    [asked] = result.record["inputs"].values()
    for layer in layers:
        facts = slide_facts(layer)
        if facts.path is not None and facts.path.name == asked["name"]:
            break
    else:
        raise InputError(f"Open {asked['name']} to go on with {result.path.name}.")
    name = result.record["model"]["name"]
    chosen = result.record["parameters"]
    return Request(
        slide=facts,
        pixels=None,
        placement=layer_placement(layer),
        region=parse_region(chosen["region"]) if chosen["region"] else None,
        settings={
            "model": model.name if model is not None and Path(model.name).name == name else name,
            "out": result.path,
            "mpp": asked["mpp"] if asked["mpp"] != asked["mpp_stated"] else None,
            **{key: chosen[key] for key in ("quality", "sampler", "steps", "samples", "seed")},
            "resume": True,
        },
        overwrite=False,
    )
