"""What complete cells found, under version control: any machine writes the page, and computes what is missing.

Trainings of a cell stay where they were made; what they found is a few thousand numbers. A cell's key has all that
changes what it finds, so that one of another budget, simulator or protocol is never taken for it.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reproduce.fill import HasCell
from benchmarks.shared.cells import RESULT
from benchmarks.shared.places import ROOT

KEPT = ROOT / "benchmarks/reproduce/cells"
_ENDING = ".json.gz"


def restore(todo: Sequence[HasCell], *, kept: Path, root: Path) -> int:
    """Put what is kept of cells where they are looked for, and return how many there were."""
    count = 0
    for task in todo:
        own, found = kept / f"{task.cell.key}{_ENDING}", root / task.cell.key / RESULT
        if own.exists() and not found.exists():
            found.parent.mkdir(parents=True, exist_ok=True)
            partial = found.with_suffix(".partial")
            partial.write_bytes(gzip.decompress(own.read_bytes()))
            partial.replace(found)
            count += 1
    return count


def keep(todo: Sequence[HasCell], *, kept: Path, root: Path) -> None:
    """Keep what complete cells found, and forget cells that the table no longer has."""
    kept.mkdir(parents=True, exist_ok=True)
    for old in {*kept.glob(f"*{_ENDING}")} - {kept / f"{task.cell.key}{_ENDING}" for task in todo}:
        old.unlink()
    for task in todo:
        own, found = kept / f"{task.cell.key}{_ENDING}", root / task.cell.key / RESULT
        if found.exists() and not own.exists():
            # Of two processes that fill a table each has a file of its own until it is whole; without a time in it, it
            # is the same whenever it is written.
            partial = own.with_suffix(f".{task.cell.name}.partial")
            partial.write_bytes(gzip.compress(found.read_bytes(), mtime=0))
            partial.replace(own)
