"""What is open of what a result was made from: the series, whose patient and study its export keeps, or the slide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.exports.report.slide import check_source
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.results.result import Result
from diffuscope.scans import open_volume
from diffuscope.scans.fingerprint import is_same


def open_series(layers: Iterable[Any]) -> tuple[Path, ...]:
    """Return the DICOM series that layers show."""
    own = [own_metadata(layer) for layer in layers]
    return tuple(Path(one["source"]) for one in own if str(one.get("format", "")).startswith("DICOM"))


def open_slides(layers: Iterable[Any]) -> tuple[Path, ...]:
    """Return the files of slides that layers show."""
    own = [own_metadata(layer) for layer in layers if layer.ndim == 2]
    return tuple(dict.fromkeys(Path(one["source"]) for one in own if one.get("source")))


def slide_of(result: Result, slides: Sequence[Path]) -> Path | None:
    """Return the one of some slides that the run took in; None where it is not among them, or can no more be read."""
    for path in slides:
        with suppress(InputError):
            check_source(result, path)
            return path
    return None


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
