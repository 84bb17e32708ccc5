"""The verb `open`: a slide, a volume, a result, or what QuPath wrote, to look at."""

from __future__ import annotations

from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.model.card import is_model
from diffuscope.results.result import Result, is_result, open_result
from diffuscope.scans import Scan, Volume, open_input
from diffuscope.scans.qupath.annotations import GEOJSON, Annotations, read_annotations
from diffuscope.scans.qupath.project import QPPROJ, Project, read_project


def open(path: str | Path) -> Scan | Volume | Result | Annotations | Project:  # noqa: A001  the word of the verb
    """Open a slide, a volume, a result, annotations (GeoJSON) or a QuPath project to look at it.

    Raises
    ------
    InputError
        It is none of these.
    """
    if is_model(Path(path)):
        raise InputError(f"{Path(path).name} is a model: diffuscope models {path} shows it.")
    ending = Path(path).suffix.lower()
    if ending == GEOJSON:
        return read_annotations(path)
    if ending == QPPROJ:
        return read_project(path)
    return open_result(path) if is_result(path) else open_input(path)


#: What it is called on the command line.
info = open
