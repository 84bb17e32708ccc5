"""A run record without what tells of the input: whose it is, what its files are called, and their identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from diffuscope.registration.warp import KEY

if TYPE_CHECKING:
    from diffuscope.results.result import Result

# What of a record says how a result was made; all else names its inputs, or might.
_KEPT = ("note", "model", "parameters", "figures", "compute", "versions", "generated", "case", "samples", "counted")
# What of an input says what it was and where its px lie.
_KEPT_OF_INPUTS = (
    "format", "shape", "mpp", "mpp_stated", "lattice", "storage", "forms", "values", "stains", "roles",
    "channel_number",
)  # fmt: skip
# What the pictures are called that the stains of an input were measured on: that there are such is told, and how many.
_OF_STAINS = "another picture"


def anonymous(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without names, fingerprints, identifiers of series, rows, texts, command, notices and time.

    An input is called after its port. What is left says how the result was made, and where its px lie.
    """
    inputs = {
        key: {"name": key, "fingerprint": "", **{kept: _nameless(one[kept]) for kept in _KEPT_OF_INPUTS if kept in one}}
        for key, one in record.get("inputs", {}).items()
    }
    return {
        **{key: record[key] for key in _KEPT if key in record},
        "anonymous": True,
        "inputs": inputs,
        "command": "",
        "notices": [],
    }


def without_names(result: Result) -> Result:
    """Return a result whose images are not called after a file, as that of a registration is."""
    ports = (replace(port, name=f"{KEY} slide") if port.key == KEY else port for port in result.ports)
    return replace(result, ports=tuple(ports))


def _nameless(stated: Any) -> Any:
    """Return what is kept of an input; of stains without the names of pictures."""
    if not isinstance(stated, Mapping) or "measured_on" not in stated:
        return stated
    return {**stated, "measured_on": [_OF_STAINS] * len(stated["measured_on"])}
