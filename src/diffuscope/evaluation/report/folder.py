"""The folder of a report: what lies in it, and a report read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.files.claim import is_claim
from diffuscope.files.place import Kind, Parts, is_passing
from diffuscope.files.read import read_json
from diffuscope.results.result import parts_with_results

JSON, HTML, PREDICTIONS = "report.json", "report.html", "predictions"


def is_report(path: Path) -> bool:
    """Whether a folder is a report, finished or not: nothing else lies in it."""
    if not path.is_dir():
        return False
    # One that was killed before its first case holds nothing but what tells who wrote there.
    there = [one.name for one in path.iterdir() if not is_passing(one.name) or is_claim(one.name)]
    return bool(there) and all(name in {JSON, HTML, PREDICTIONS} or is_claim(name) for name in there)


def is_unwritten(path: Path) -> bool:
    """Whether nothing of a report lies in its folder yet."""
    return not any(one.name in {JSON, HTML, PREDICTIONS} for one in path.iterdir())


def _parts(path: Path) -> Parts:
    return parts_with_results(path, files={JSON, HTML}, under=f"{PREDICTIONS}/")


REPORT = Kind("a report", is_report, parts=_parts)


def read_report(path: Path) -> dict[str, Any]:
    """Read a report by its folder or its report.json.

    Raises
    ------
    InputError
        There is none that this version reads.
    """
    path = path / JSON if path.is_dir() else path
    try:
        report = read_json(path)
        known = report["format"] == 1 and isinstance(report["cases"], list) and bool(report["model"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(f"{path} is no report that this version reads: give the folder of one, or its report.json.")
    return dict(report)
