"""A tile computed into a folder that goes at once, and kept as pixels in memory."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffuscope.engine.events import Finished
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.process import Returned
from diffuscope.plugin.jobs.run import Opened, Renewed, Request, carry_out
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.live import add_layers
from diffuscope.plugin.layers.placement import Placement
from diffuscope.plugin.layers.results import LayerTuple, result_layers
from diffuscope.results.result import Result

#: What the name of such a layer begins with.
NOT_SAVED = "preview, not saved"
_TOLD = "A preview of one tile, which is not saved. A model's guess, not for diagnosis."


def compute_glimpse(child: Child, stop: threading.Event, *, request: Request) -> Generator[Any, None, None]:
    """Yield the messages of a run of one tile; what comes out is a layer, None where it was cancelled."""
    with tempfile.TemporaryDirectory(prefix="diffuscope-", ignore_cleanup_errors=True) as folder:
        settings = {**request.settings, "out": Path(folder) / "preview.ome.zarr"}
        for message in carry_out(child, stop, request=replace(request, settings=settings)):
            match message:
                case Opened() | Renewed():
                    continue
                case Finished() if message.complete:
                    continue  # it speaks of a result
                case Returned():
                    yield Returned(_kept(message.value, request.placement))
                case _:
                    yield message


def show_glimpse(viewer: Any, layer: LayerTuple | None) -> str | None:
    """Show a tile in the place of the last, and return what is said of it."""
    if layer is None:
        return None
    for old in [one for one in viewer.layers if one.metadata.get(KEY, {}).get("preview") == NOT_SAVED]:
        viewer.layers.remove(old)
    add_layers(viewer, [layer])
    return _TOLD


def _kept(result: Result | None, placement: Placement | None) -> LayerTuple | None:
    """Return the main image of a result, read into memory."""
    if result is None or not result.complete:
        return None
    data, about, kind = result_layers(result, placement)[0]
    pixels = np.asarray(data[0] if about["multiscale"] else data)
    told = {"name": f"{NOT_SAVED} · {about['name']}", "multiscale": False, "metadata": {KEY: {"preview": NOT_SAVED}}}
    return pixels, {**about, **told}, kind
