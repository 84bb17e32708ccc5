"""A run record without what tells of the input: whose it is, what its files are called, and their identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What of a record says how a result was made; all else names its inputs, or might.
_KEPT = ("note", "model", "parameters", "figures", "compute", "versions", "generated", "case", "samples", "counted")
# What of an input says what it was and where its px lie.
_KEPT_OF_INPUTS = (
    "format", "shape", "mpp", "mpp_stated", "lattice", "storage", "forms", "values", "stains", "roles",
    "channel_number",
)  # fmt: skip


def anonymous(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without names, fingerprints, identifiers of series, rows, texts, command, notices and time.

    An input is called after its port. What is left says how the result was made, and where its px lie.
    """
    inputs = {
        key: {"name": key, "fingerprint": "", **{kept: one[kept] for kept in _KEPT_OF_INPUTS if kept in one}}
        for key, one in record.get("inputs", {}).items()
    }
    return {
        **{key: record[key] for key in _KEPT if key in record},
        "anonymous": True,
        "inputs": inputs,
        "command": "",
        "notices": [],
    }
