"""What each paper's table needs: budgets, cells, how they are measured, and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reproduce.damm import heads
from benchmarks.reproduce.damm import measure as damm_measure
from benchmarks.reproduce.damm import page as damm_page
from benchmarks.reproduce.damm import tasks as damm
from benchmarks.reproduce.medm2g import measure as medm2g_measure
from benchmarks.reproduce.medm2g import page as medm2g_page
from benchmarks.reproduce.medm2g import tasks as medm2g
from benchmarks.reproduce.midiffusion import measure as midiffusion_measure
from benchmarks.reproduce.midiffusion import page as midiffusion_page
from benchmarks.reproduce.midiffusion import tasks as midiffusion
from benchmarks.reproduce.mmfusion import measure as mmfusion_measure
from benchmarks.reproduce.mmfusion import page as mmfusion_page
from benchmarks.reproduce.mmfusion import tasks as mmfusion
from benchmarks.reproduce.plan import plan
from benchmarks.reproduce.staindiffuser import measure as staindiffuser_measure
from benchmarks.reproduce.staindiffuser import page as staindiffuser_page
from benchmarks.reproduce.staindiffuser import tasks as staindiffuser
from benchmarks.reproduce.staindiffuser.strips import STRIPS, copied_strips


@dataclass(frozen=True)
class Table:
    """A paper's table.

    Attributes
    ----------
    budgets : mapping
        By ``"standard"``, ``"quick"``, ``"full"``.
    todo : callable
        From a budget and whether it is the quick one to all cells, and what was left out and why.
    measure : callable
        From a task and its cell's folder to what is found.
    page : callable
        From the complete cells to the page.
    plan : callable
        From all cells and where they lie to what is missing and how long it takes, as text.
    """

    budgets: Mapping[str, Any]
    todo: Callable[[Any, bool], tuple[list[Any], list[str]]]
    measure: Callable[[Any, Path], Mapping[str, Any]]
    page: Callable[..., str]
    plan: Callable[..., str] = plan


def _staindiffuser(budget: staindiffuser.Budget, quick: bool) -> tuple[list[staindiffuser.Task], list[str]]:
    notices, todo = _strip_notices(), []
    for task in staindiffuser.tasks(quick=quick, budget=budget):
        refused = task.missing()
        if refused is None:
            todo.append(task)
        elif refused not in notices:
            notices.append(refused)
    return todo, notices


def _damm(budget: damm.Budget, quick: bool) -> tuple[list[damm.Task | heads.HeadTask], list[str]]:
    refused = heads.missing()
    real = [] if refused else heads.tasks(budget, quick=quick)
    return [*damm.tasks(budget), *real], [refused] if refused else []


def _measure_damm(task: damm.Task | heads.HeadTask, folder: Path) -> Mapping[str, Any]:
    return heads.measure(task, folder) if isinstance(task, heads.HeadTask) else damm_measure.measure(task, folder)


def _strip_notices() -> list[str]:
    if not STRIPS.is_dir():
        return ["All strips: there is no folder ../shared/data/deepliif-strips beside the repository."]
    copies = copied_strips()
    same = "their six tiles are one and the same picture, so that the answer would be the question."
    return [f"The strips {', '.join(copies)}: {same}"] if copies else []


TABLES = {
    "staindiffuser": Table(
        staindiffuser.BUDGETS, _staindiffuser, staindiffuser_measure.measure, staindiffuser_page.page
    ),
    "damm": Table(damm.BUDGETS, _damm, _measure_damm, damm_page.page),
    "midiffusion": Table(midiffusion.BUDGETS, midiffusion.todo, midiffusion_measure.measure, midiffusion_page.page),
    "mmfusion": Table(
        mmfusion.BUDGETS, mmfusion.todo, mmfusion_measure.measure, mmfusion_page.page, plan=mmfusion.plan
    ),
    "medm2g": Table(medm2g.BUDGETS, medm2g.todo, medm2g_measure.measure, medm2g_page.page, plan=medm2g.plan),
}
