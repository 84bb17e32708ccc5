"""Layers of one result go by one name: what each shows, and which result it is where several show the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.views.pair import layers_of_folder

#: Between what a layer shows and the name of its result.
_MARK = " · "
# What napari puts behind the name of a second layer of one name.
_SECOND = re.compile(r" \[\d+\]$")
# What stands behind what a layer shows, and whether the user said so.
_LABEL, _GIVEN = "label", "label_given"


def tell_apart(viewer: Any, layer: Any) -> None:
    """Name all layers of the results that show what a new layer shows, its own among them, in one form.

    What the user called a result stays. A layer of one that has a name gets it as well.
    """
    folder = str(own_metadata(layer).get("result", ""))
    if not folder or "preview" in own_metadata(layer):
        return
    shown = [one for one in viewer.layers if own_metadata(one).get("result") and "preview" not in own_metadata(one)]
    alike = [str(own_metadata(one)["result"]) for one in shown if _shows(one) == _shows(layer)]
    folders = list(dict.fromkeys(alike))
    if len(folders) > 1:
        for one, label in zip(folders, _short([result_name(one) for one in folders]), strict=True):
            if not given_name(viewer, one):
                _name_all(viewer, one, label, given=False)
    if label := _label_in(viewer, folder):
        _call(layer, label, given=bool(given_name(viewer, folder)))
    elif _SECOND.search(layer.name):  # the same result, opened again
        _call(layer, result_name(folder), given=False)


def rename(viewer: Any, folder: str, label: str) -> None:
    """Give all layers of a result one name behind what each shows; without one, none."""
    _name_all(viewer, folder, label.strip(), given=bool(label.strip()))


def label_of(viewer: Any, folder: str) -> str:
    """Return the name that all layers of a result have behind what they show; empty where they have none."""
    labels = {str(own_metadata(layer).get(_LABEL, "")) for layer in layers_of_folder(viewer, folder)}
    return labels.pop() if len(labels) == 1 else ""


def given_name(viewer: Any, folder: str) -> str:
    """Return the name that the user gave a result; empty where that is none."""
    own = (own_metadata(layer) for layer in layers_of_folder(viewer, folder))
    return next((str(one[_LABEL]) for one in own if one.get(_GIVEN)), "")


def result_name(folder: str) -> str:
    """Return what a result is called by its folder."""
    return Path(folder).name.removesuffix(".ome.zarr")


def _label_in(viewer: Any, folder: str) -> str:
    """Return the name that some layer of a result has."""
    own = (own_metadata(layer) for layer in layers_of_folder(viewer, folder))
    return next((str(one[_LABEL]) for one in own if one.get(_LABEL)), "")


def _name_all(viewer: Any, folder: str, label: str, *, given: bool) -> None:
    for layer in layers_of_folder(viewer, folder):
        _call(layer, label, given=given)


def _call(layer: Any, label: str, *, given: bool) -> None:
    name = f"{_shows(layer)}{_MARK}{label}" if label else _shows(layer)
    layer.metadata[KEY] = {**own_metadata(layer), _LABEL: label, _GIVEN: given}
    if _SECOND.sub("", layer.name) != name:
        layer.name = name


def _shows(layer: Any) -> str:
    """Return a layer's name without that of its result, and without napari's number."""
    label, name = str(own_metadata(layer).get(_LABEL, "")), _SECOND.sub("", str(layer.name))
    return name.removesuffix(f"{_MARK}{label}") if label else name


def _short(names: Sequence[str]) -> list[str]:
    """Return names of results without the parts before a dot that all of them begin with."""
    parts = [name.split(".") for name in names]
    alike = list(takewhile(lambda found: len(set(found)) == 1, zip(*parts, strict=False)))
    common = min(len(alike), min(map(len, parts)) - 1)
    return [".".join(part[common:]) for part in parts]
