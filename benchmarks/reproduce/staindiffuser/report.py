"""The table as a page: what was trained, for how long, what it scored, and what the paper says beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.reproduce.claims import Line, budget_text
from benchmarks.reproduce.staindiffuser.tasks import ROWS, Task
from benchmarks.shared.scores import COLUMNS

#: Heading and digits of each column.
HEADINGS = dict(
    zip(
        COLUMNS,
        (("PSNR, dB", 2), ("SSIM", 3), ("PSNR near, dB", 2), ("DAB error, OD", 3), ("area error, %", 0), ("Dice", 3)),
        strict=True,
    )
)


def lines(found: Sequence[tuple[Task, Mapping[str, Any]]], stain: str) -> dict[str, Line]:
    """Gather the complete cells of one stain; a seed counts once all its folds are there.

    Parameters
    ----------
    found : sequence of (Task, result)
        Complete cells.
    stain : str
        ``"CD3"``, ``"CK8/18"``, or ``"IHC"`` of the strips.
    """
    mine = [(task, result) for task, result in found if stain in task.study.stains]
    tested = {
        slide for _, result in mine for slides in result["stains"][stain].values() for slide in slides
    }  # all folds' slides
    gathered: dict[str, dict[int, dict[str, Any]]] = {}
    spent: dict[str, list[tuple[Task, Mapping[str, Any]]]] = {}
    for task, result in mine:
        for method, slides in result["stains"][stain].items():
            gathered.setdefault(method, {}).setdefault(task.seed, {}).update(slides)
            spent.setdefault(method, []).append((task, result))
    order = [*(name for name in gathered if name not in {row.name for row in ROWS}), *(row.name for row in ROWS)]
    whole = {}
    for name in order:
        seeds = [slides for _, slides in sorted(gathered.get(name, {}).items()) if slides.keys() == tested]
        if seeds:
            folds = len({task.study.name for task, _ in spent[name]})
            whole[name] = Line(name, seeds, _budget(spent[name]), folds)
    return whole


def _budget(cells: Sequence[tuple[Task, Mapping[str, Any]]]) -> str:
    task, _ = cells[0]
    return "none" if task.row is None else budget_text(task.training, [result for _, result in cells])
