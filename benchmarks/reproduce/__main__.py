"""``python -m benchmarks.reproduce NAME`` (a paper's system): compute the cells that are missing, write the page.

Several of these at once share the cells; networks this small train faster as two processes of one thread
(OMP_NUM_THREADS=1) than as one of two.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reproduce.damm import heads
from benchmarks.reproduce.damm import measure as damm_measure
from benchmarks.reproduce.damm import page as damm_page
from benchmarks.reproduce.damm import tasks as damm
from benchmarks.reproduce.fill import fill
from benchmarks.reproduce.midiffusion import measure as midiffusion_measure
from benchmarks.reproduce.midiffusion import page as midiffusion_page
from benchmarks.reproduce.midiffusion import tasks as midiffusion
from benchmarks.reproduce.plan import plan
from benchmarks.reproduce.staindiffuser import measure, page
from benchmarks.reproduce.staindiffuser import tasks as staindiffuser
from benchmarks.reproduce.staindiffuser.strips import STRIPS, copied_strips

ROOT = Path(__file__).parents[2]


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
    """

    budgets: Mapping[str, Any]
    todo: Callable[[Any, bool], tuple[list[Any], list[str]]]
    measure: Callable[[Any, Path], Mapping[str, Any]]
    page: Callable[..., str]


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


TABLES = {
    "staindiffuser": Table(staindiffuser.BUDGETS, _staindiffuser, measure.measure, page.page),
    "damm": Table(damm.BUDGETS, _damm, _measure_damm, damm_page.page),
    "midiffusion": Table(midiffusion.BUDGETS, midiffusion.todo, midiffusion_measure.measure, midiffusion_page.page),
}


def main() -> None:
    """Say what will be done and how long it takes; do it; write the page after every cell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduce", description=main.__doc__)
    parser.add_argument("name", choices=list(TABLES), help="whose table")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a few minutes: checks the machinery")
    size.add_argument("--full", action="store_true", help="the paper's protocol: weeks of GPU")
    parser.add_argument("--plan", action="store_true", help="print cells and time, and stop")
    parser.add_argument("--page", action="store_true", help="write the page of what there is, and stop")
    arguments = parser.parse_args()

    name = "quick" if arguments.quick else "full" if arguments.full else "standard"
    wanted = TABLES[arguments.name]
    budget = wanted.budgets[name]
    root = ROOT / "runs/reproduce" / arguments.name
    docs = ROOT / "docs/reproduce" if name == "standard" else root
    target = docs / (f"{arguments.name}.md" if name == "standard" else f"{name}.md")
    todo, notices = wanted.todo(budget, arguments.quick)
    print("\n".join(f"Left out: {notice}" for notice in notices), flush=True)
    if not arguments.page:
        print(plan(todo, root=root), flush=True)
    if arguments.plan:
        return
    if arguments.quick:
        print("QUICK: a few steps of tiny networks. This checks the machinery; the figures mean nothing.", flush=True)

    def write(complete: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
        _write(target, wanted.page(complete, budget=budget, kind=name, notices=notices, cells=len(todo)))
        print(f"wrote {target}", flush=True)

    if not arguments.page:
        fill(todo, wanted.measure, root=root, write=write)
    elif complete := [(task, known) for task in todo if (known := task.cell.found(root)) is not None]:
        write(complete)
    else:
        print("No cell is complete: there is no page to write.")


def _strip_notices() -> list[str]:
    if not STRIPS.is_dir():
        return ["All strips: there is no folder ../shared/data/deepliif-strips beside the repository."]
    copies = copied_strips()
    same = "their six tiles are one and the same picture, so that the answer would be the question."
    return [f"The strips {', '.join(copies)}: {same}"] if copies else []


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial_file = target.with_suffix(".partial")
    partial_file.write_text(text, encoding="utf-8")
    partial_file.replace(target)


if __name__ == "__main__":
    main()
