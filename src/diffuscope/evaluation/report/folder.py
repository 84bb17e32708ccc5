"""The folder of a report: what lies in it, what may be in its way, and a report read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diffuscope.cases.find import SIMULATED
from diffuscope.errors import InputError

JSON, HTML, PREDICTIONS = "report.json", "report.html", "predictions"


def check_room(out: Path, data: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse what is in the way of a report.

    Raises
    ------
    InputError
        There is something else, or a report and nothing was said about it, or the data lies there.
    """
    if overwrite and resume:
        raise InputError("--resume goes on with a report and --overwrite begins it again: choose one.")
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if out.exists() and (not out.is_dir() or there - {JSON, HTML, PREDICTIONS}):
        raise InputError(f"{out} is something else than a report and is never overwritten: choose another name.")
    if there and not (overwrite or resume):
        raise InputError(f"{out} exists already: say --resume to go on with it, --overwrite, or choose another name.")
    if data.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{out} holds the data: choose another place for the report.")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report by its folder or its report.json.

    Raises
    ------
    InputError
        There is none that this version reads.
    """
    path = path / JSON if path.is_dir() else path
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        known = report["format"] == 1 and isinstance(report["cases"], list) and bool(report["model"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(f"{path} is no report that this version reads: give the folder of one, or its report.json.")
    return dict(report)


def simulated_truth(data: Path) -> str | None:
    """Return how a data set's truth was simulated; None where nothing says that it was."""
    path = (data if data.is_dir() else data.parent) / SIMULATED
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0] or "nobody says how."
