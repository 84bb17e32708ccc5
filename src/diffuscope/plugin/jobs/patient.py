"""Whose a derived DICOM series is: the patient and study of the series that a result was made from, if that is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.results.result import Result
from diffuscope.scans import open_volume
from diffuscope.scans.fingerprint import is_same


def open_series(layers: Iterable[Any]) -> tuple[Path, ...]:
    """Return the DICOM series that layers show."""
    own = [own_metadata(layer) for layer in layers]
    return tuple(Path(one["source"]) for one in own if str(one.get("format", "")).startswith("DICOM"))


def source_of(result: Result, series: Sequence[Path]) -> Path | None:
    """Return the one of some series that the run took in, by its fingerprint; None where it is not among them."""
    taken = [one.get("fingerprint", "") for one in result.record["inputs"].values()]
    for path in series:
        try:
            if any(is_same(open_volume(path).fingerprint, one) for one in taken):
                return path
        except InputError:  # moved away since it was opened
            continue
    return None


def whose(result: Result, source: Path | None) -> str:
    """Say whose the written series is."""
    if source is not None:
        return f"patient and study are those of {source.name}"
    stated = [one for one in result.record["inputs"].values() if str(one.get("format", "")).startswith("DICOM")]
    if stated:
        return f"without a patient, since {stated[0]['name']} is not open"
    return "without a patient, since the input has none"
