"""The page of MedM2G's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.reproduce.medm2g import ablation, claims, sections
from benchmarks.reproduce.medm2g.report import Line
from benchmarks.reproduce.medm2g.rows import ROWS
from benchmarks.reproduce.medm2g.tasks import Budget, Task
from benchmarks.reproduce.medm2g.wording import BEGUN_FROM, BEGUN_HERE, READING
from benchmarks.reproduce.sheet import sheet

Found = Sequence[tuple[Task, Mapping[str, Any]]]


def page(found: Found, *, budget: Budget, kind: str, notices: Sequence[str], cells: int) -> str:
    """Return the page of the complete cells, markdown.

    Parameters
    ----------
    found : sequence of (Task, result)
        Complete cells.
    budget : Budget
        Of all of them.
    kind : {"standard", "quick", "full"}
    notices : sequence of str
        What was left out, and why.
    cells : int
        How many there are to be.
    """
    steps = budget.steps
    begun = (BEGUN_FROM if budget.ships else BEGUN_HERE).format(**steps.facts())
    reading = READING.format(
        patients=budget.patients, seeds=budget.seeds, tests=budget.tests, others=budget.others,
        sampling=budget.sampling, begun=begun, align=steps.align, cross=steps.cross, batch=steps.batch, pair=steps.pair,
    )  # fmt: skip
    own = lines(found)
    parts = [
        reading,
        ablation.of(own),
        sections.reports(own),
        sections.pictures(own),
        sections.translation(own),
        claims.unseen(own),
        claims.joint(own),
        claims.downstream(own),
        claims.modalities(own, kind=kind),
        claims.memory(own),
        claims.sureness(own),
        claims.missing(own, budget),
    ]
    return sheet("MedM2G", parts, kind=kind, done=len(found), cells=cells, notices=notices)


def lines(found: Found) -> dict[str, Line]:
    """Gather the complete cells by row, in the order of the table."""
    whole: dict[str, Line] = {}
    for row in ROWS:
        seeds = {task.seed: result for task, result in found if task.row.name == row.name}
        if seeds:
            whole[row.name] = Line(row, dict(sorted(seeds.items())))
    return whole
