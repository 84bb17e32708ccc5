"""Layers of one result go by one name: what each shows, and which result it is where there are several."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.views.pair import layers_of_folder

#: Between what a layer shows and the name of its result.
_MARK = " · "
# What napari puts behind the name of a second layer of one name.
_SECOND = re.compile(r" \[\d+\]$")
_LABEL = "label"


def tell_apart(layer: Any) -> None:
    """Name a layer by its result, where napari numbered it because another result has one of its name."""
    own = own_metadata(layer)
    if own.get("result") and _SECOND.search(layer.name):
        _call(layer, _SECOND.sub("", layer.name), _named(str(own["result"]), own.get("record", {})))


def rename(viewer: Any, folder: str, label: str) -> None:
    """Give all layers of a result one name behind what each shows; without one, none."""
    for layer in layers_of_folder(viewer, folder):
        known = str(own_metadata(layer).get(_LABEL, ""))
        _call(layer, layer.name.removesuffix(f"{_MARK}{known}") if known else layer.name, label.strip())


def label_of(viewer: Any, folder: str) -> str:
    """Return the name that all layers of a result have behind what they show; empty where they have none."""
    labels = {str(own_metadata(layer).get(_LABEL, "")) for layer in layers_of_folder(viewer, folder)}
    return labels.pop() if len(labels) == 1 else ""


def _call(layer: Any, shows: str, label: str) -> None:
    layer.metadata[KEY] = {**own_metadata(layer), _LABEL: label}
    layer.name = f"{shows}{_MARK}{label}" if label else shows


def _named(folder: str, record: dict[str, Any]) -> str:
    """Return a result's name without that of its input, which they may share."""
    name = Path(folder).name.removesuffix(".ome.zarr")
    for one in record.get("inputs", {}).values():
        stem = str(one.get("name", "")).partition(".")[0]
        if stem and name.startswith(stem):
            name = name.removeprefix(stem).strip(" .-_") or name
    return name
