"""Load and penetration of drawn regions: asked for when the button is pressed, measured in the child process."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.forms.regions import layer_regions
from diffuscope.plugin.jobs.child import Child, drive
from diffuscope.plugin.jobs.given.source import Stopped, input_of
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.jobs.resume import find_layer
from diffuscope.plugin.layers.facts import SlideFacts, finest
from diffuscope.plugin.layers.inputs.held import held
from diffuscope.plugin.layers.slides import region_layer
from diffuscope.results.result import Result
from diffuscope.tiling.region import Region


@dataclass(frozen=True, kw_only=True)
class RegionRequest:
    """All of a measurement, bound when it was asked for.

    Attributes
    ----------
    result : Path
        Result folder.
    facts : SlideFacts
        The layer of the model's first input, in which vessels are found.
    pixels : array-like or None
        Its finest level where it has no file.
    regions : dict of str to Region
        Drawn ones by name; none: all tissue.
    threshold : float or None
        What is brighter is vessel; None: found by itself.
    """

    result: Path
    facts: SlideFacts
    pixels: Any = None
    regions: dict[str, Region]
    threshold: float | None


def measurement_of(result: Result, viewer: Any, layers: list[Any], *, threshold: float | None) -> RegionRequest:
    """Bind what is to be measured: every shape of the regions layer, or all tissue where nothing is drawn.

    Parameters
    ----------
    result : Result
        Complete.
    viewer : napari.Viewer
        With the shapes.
    layers : list of napari layers
        The open inputs.
    threshold : float or None
        As of `RegionRequest`.

    Raises
    ------
    InputError
        The vessels are not open, or a shape encloses nothing.
    """
    if not result.complete:
        raise InputError(f"{result.path.name} is incomplete: continue its run first.")
    stated = next(iter(result.record["inputs"].values()))
    layer, facts = find_layer(stated, layers, f"to measure {result.path.name}: its vessels are found there")
    shapes = region_layer(viewer)
    return RegionRequest(
        result=result.path,
        facts=facts,
        pixels=None if facts.path else held(finest(layer), layer.name),
        regions=layer_regions(shapes, layer) if shapes is not None and len(shapes.data) else {},
        threshold=threshold,
    )


def measure_in(child: Child, stop: threading.Event, *, request: RegionRequest) -> Generator[Any, None, None]:
    """Yield the messages of the measurement; a layer without a file is written to one meanwhile."""
    scratch: list[Path] = []
    try:
        try:
            source = input_of(request.facts, request.pixels, scratch, stop)
        except InputError as error:
            yield Failed(str(error))
            return
        except Stopped:
            yield Returned(None)
            return
        yield from drive(
            child,
            "measure",
            stop,
            result=request.result,
            vessels=source,
            regions=request.regions,
            threshold=request.threshold,
        )
    finally:
        for path in scratch:
            shutil.rmtree(path.parent, ignore_errors=True)
