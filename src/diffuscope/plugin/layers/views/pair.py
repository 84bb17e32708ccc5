"""The layers of a result in a viewer, and those that it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Image

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.resume import find_layer
from diffuscope.plugin.layers.facts import is_result, own_metadata


@dataclass(frozen=True, eq=False)
class Pair:
    """A result and its inputs as a viewer shows them.

    Attributes
    ----------
    folder : str
        Of the result.
    made : tuple of layers
        All that show something of it, the lowest first.
    inputs : tuple of layers
        What it was made from, as far as that is open.
    missing : tuple of str
        Names of inputs that are not open.
    """

    folder: str
    made: tuple[Any, ...]
    inputs: tuple[Any, ...]
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the result is called."""
        return Path(self.folder).name.removesuffix(".ome.zarr")

    @property
    def seen(self) -> tuple[Any, ...]:
        """Those of `made` that are not hidden."""
        return tuple(layer for layer in self.made if layer.visible)


def layers_of_folder(viewer: Any, folder: str) -> list[Any]:
    """Return all layers of a viewer that show something of a result."""
    return [layer for layer in viewer.layers if own_metadata(layer).get("result") == folder]


def result_in_sight(viewer: Any) -> str:
    """Return the folder of the result that a user means: that of the active layer, else of the topmost seen.

    Empty where no layer shows the images of a result that has inputs.
    """
    active = viewer.layers.selection.active
    shown = [layer for layer in reversed(viewer.layers) if _record(layer).get("inputs")]
    for layer in (active, *(layer for layer in shown if layer.visible), *shown):
        if layer is not None and layer in shown:
            return str(own_metadata(layer)["result"])
    return ""


def pair_of(viewer: Any, folder: str) -> Pair | None:
    """Return what a viewer shows of a result and of its inputs; None where it shows nothing of it."""
    made = layers_of_folder(viewer, folder)
    stated = next((found for layer in made if (found := _record(layer).get("inputs"))), None)
    if stated is None:
        return None
    open_now = [layer for layer in viewer.layers if isinstance(layer, Image) and not is_result(layer)]
    inputs, missing = [], []
    for one in _with_files(stated):
        try:
            inputs.append(find_layer(one, open_now, "to compare with it")[0])
        except InputError:
            missing.append(str(one["name"]))
    return Pair(folder, tuple(made), tuple(inputs), tuple(missing))


def _record(layer: Any) -> dict[str, Any]:
    found = own_metadata(layer).get("record") if own_metadata(layer).get("result") else None
    return found if isinstance(found, dict) else {}


def _with_files(stated: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what is said of inputs that are images: texts and rows of tables lie nowhere, outlines are no picture."""
    for one in stated.values():
        if "name" in one and not {"text", "row", "roles"} & one.keys():
            yield one
