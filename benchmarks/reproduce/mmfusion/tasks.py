"""MMFusion's cells: one row of one study with one seed, over all folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.reproduce.mmfusion import hancock as head_and_neck
from benchmarks.reproduce.mmfusion import lydata as levels
from benchmarks.reproduce.mmfusion.networks import Plan
from benchmarks.reproduce.mmfusion.rows import LYDATA, MMFUSION, REAL, Row
from benchmarks.reproduce.mmfusion.study import Study
from benchmarks.shared.cells import Cell
from diffuscope.training.recipe import Optimisation

# Raise it when what a cell measures changes.
_MEASURE = 1


@dataclass(frozen=True)
class Budget:
    """How much is computed.

    Attributes
    ----------
    seeds : int
        Of folds and weights.
    tables : Plan
        Of studies without images.
    width, members : int
        Of the graph's nodes, and guides, where a row does not say otherwise.
    """

    seeds: int
    tables: Plan
    width: int = 16
    members: int = 5


def _steps(steps: int, batch: int, rate: float, validations: int) -> Optimisation:
    return Optimisation(
        steps=steps, batch=batch, learning_rate=rate, warmup=steps // 10, ema=0.98, validations=validations
    )


BUDGETS = {
    "standard": Budget(5, Plan(_steps(200, 128, 2e-3, 20), _steps(400, 128, 2e-3, 4))),
    "quick": Budget(1, Plan(_steps(20, 64, 2e-3, 2), _steps(20, 64, 2e-3, 2), samples=20), width=8, members=2),
    "full": Budget(20, Plan(_steps(200, 128, 2e-3, 20), _steps(2000, 128, 2e-3, 10)), width=64, members=20),
}


@dataclass(frozen=True)
class Task:
    """One cell.

    Attributes
    ----------
    source : Source
        Of the study.
    row : Row
        What is trained.
    budget : Budget
        How much.
    seed : int
        Of folds and weights.
    """

    source: Source
    row: Row
    budget: Budget
    seed: int

    @property
    def study(self) -> Study:
        """Who trains and tests."""
        return self.source.study()

    @property
    def plan(self) -> Plan:
        """How MMFusion trains."""
        return self.budget.tables

    @cached_property
    def config(self) -> dict[str, Any]:
        """Of MMFusion."""
        tables = [dict(table) for table in self.study.tables if table["key"] not in self.row.without]
        own = {"tables": tables, "width": self.budget.width, "members": self.budget.members, "guide": "frozen"}
        return own | dict(self.row.config)

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        facts: dict[str, Any] = {"kind": self.row.kind, "without": self.row.without, "seed": self.seed}
        facts |= {"measure": _MEASURE} | dict(self.study.facts)
        if self.row.kind == MMFUSION:
            facts |= {"config": self.config} | self.plan.facts()
        return Cell(f"{self.source.name}-{self.row.name}-{self.seed}", facts)


@dataclass(frozen=True)
class Source:
    """A study that may be missing, and its rows.

    Attributes
    ----------
    name : str
        Of the study.
    study : callable
        Makes it; the same every time.
    missing : callable
        Why there is none, or None.
    rows : tuple of Row
        Its table; the first of those of MMFusion's rivals is what it is held against.
    """

    name: str
    study: Callable[[], Study]
    missing: Callable[[], str | None]
    rows: tuple[Row, ...]


SOURCES = (
    Source("hancock", head_and_neck.hancock, head_and_neck.missing, REAL),
    Source("lydata", levels.lydata, levels.missing, LYDATA),
)


def todo(budget: Budget, quick: bool) -> tuple[list[Task], list[str]]:  # noqa: ARG001
    """Return all cells, seed after seed so that what is there can be read early; and what is left out, and why."""
    reasons = {source.name: source.missing() for source in SOURCES}
    there = [source for source in SOURCES if reasons[source.name] is None]
    tasks = [
        Task(source, row, budget, seed) for seed in range(budget.seeds) for source in there for row in source.rows
    ]
    return tasks, [reason for reason in reasons.values() if reason is not None]


def plan(todo: Sequence[Task], *, root: Any) -> str:
    """Return how many cells are to be computed, and how long they should take: as long as their like took before."""
    known: dict[str, list[float]] = {}
    left: list[Task] = []
    for task in todo:
        found: Mapping[str, Any] | None = task.cell.found(root)
        if found is None:
            left.append(task)
        else:
            known.setdefault(_like(task), []).append(found["seconds"])
    timed = [sum(own) / len(own) for task in left if (own := known.get(_like(task)))]
    end = f"{sum(timed) / 60:.0f} min for {len(timed)} of them, as long as others of their row took here"
    return f"{len(todo)} cells, {len(todo) - len(left)} of them done, {len(left)} to do: {end}"


def _like(task: Task) -> str:
    return f"{task.source.name} {task.row.name}"
