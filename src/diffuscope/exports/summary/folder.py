"""The folder of a run over many slides: what lies in it besides results."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from diffuscope.files.place import Kind, Parts
from diffuscope.files.read import read_json
from diffuscope.results.result import parts_with_results

TABLE, PAGE, RECORD = "summary.csv", "summary.html", "summary.json"
#: What a slide's name is added to be that of its result.
ENDING = ".ome.zarr"


def is_summary(path: Path) -> bool:
    """Whether a folder is that of a run over many slides, at an end or not; never raises."""
    with suppress(Exception):
        return {"note", "model", "parameters", "over"} <= set(read_json(path / RECORD))
    return False


def _parts(path: Path) -> Parts:
    return parts_with_results(path, files={TABLE, PAGE, RECORD})


SUMMARY = Kind("a folder of results of many slides", is_summary, parts=_parts)
