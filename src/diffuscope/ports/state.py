"""Ports as files state them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from diffuscope.ports.port import Port
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Column, Table

_KINDS: dict[str, type[Port]] = {"rgb": Raster, "map": Raster}
_KINDS |= {one.kind: one for one in get_args(Port) if one is not Raster}
# What no result states.
_UNSTATED = ("of", "samples")
# What results of an older Diffuscope do not state.
_ADDED = {
    "spacing": None,
    "scale": "stored",
    "synonyms": (),
    "required": True,
    "measured": False,
    "words": (),
    "most_words": 0,
    "largest": 0,
}


def state_port(port: Port) -> dict[str, Any]:
    """Return a port as results state it: without what only inputs have, so that an older Diffuscope opens them."""
    stated = asdict(port) | {"kind": port.kind}
    return {
        name: value
        for name, value in stated.items()
        if name not in _UNSTATED and (name not in _ADDED or value != _ADDED[name])
    }


def read_port(stated: Mapping[str, Any]) -> Port:
    """Return the port that `state_port` and JSON made a mapping of."""
    kind = _KINDS[stated["kind"]]
    found = {name: _tuples(value) for name, value in stated.items() if name != "kind" or kind is Raster}
    if kind is Table:
        found["columns"] = tuple(Column(**{name: _tuples(one) for name, one in c.items()}) for c in stated["columns"])
    return kind(**found)


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
