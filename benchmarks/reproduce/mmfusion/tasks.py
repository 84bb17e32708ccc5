"""MMFusion's cells: one row of one study with one seed, over all folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from benchmarks.reproduce.mmfusion import hancock as head_and_neck
from benchmarks.reproduce.mmfusion import lydata as levels
from benchmarks.reproduce.mmfusion import simulated, tcga
from benchmarks.reproduce.mmfusion.eyes import IMAGES
from benchmarks.reproduce.mmfusion.networks import Plan
from benchmarks.reproduce.mmfusion.rows import FRESH, HANCOCK, LYDATA, MANY, MMFUSION, OUTSIDE, SIMULATED, Row
from benchmarks.reproduce.mmfusion.study import Study
from benchmarks.shared.cells import Cell
from diffuscope.training.recipe import Optimisation

# Raise it when what a cell measures changes.
_MEASURE = 2


@dataclass(frozen=True)
class Budget:
    """How much is computed.

    Attributes
    ----------
    seeds : int
        Of folds and weights.
    tables, images : Plan
        Of real tables, and of simulated patients with images.
    patients, others, eye_steps : int
        Simulated patients; those that the image encoders were trained on, and how long.
    """

    seeds: int
    tables: Plan
    images: Plan
    patients: int
    others: int
    eye_steps: int


def _steps(steps: int, batch: int, rate: float, validations: int) -> Optimisation:
    return Optimisation(
        steps=steps, batch=batch, learning_rate=rate, warmup=steps // 10, ema=0.98, validations=validations
    )


_FEW = _steps(20, 64, 2e-3, 2)
BUDGETS = {
    "standard": Budget(
        seeds=5,
        tables=Plan(_steps(100, 128, 3e-3, 20), _steps(200, 128, 3e-3, 4)),
        images=Plan(_steps(300, 64, 2e-3, 10), _steps(300, 64, 2e-3, 10)),
        patients=1500,
        others=1500,
        eye_steps=600,
    ),
    "quick": Budget(
        seeds=1,
        tables=Plan(_FEW, _FEW, samples=20),
        images=Plan(_FEW, _FEW, samples=20),
        patients=90,
        others=60,
        eye_steps=20,
    ),
    "full": Budget(
        seeds=20,
        tables=Plan(_steps(100, 128, 3e-3, 20), _steps(2000, 128, 2e-3, 10)),
        images=Plan(_steps(5000, 64, 1e-3, 50), _steps(5000, 64, 1e-3, 50)),
        patients=10_000,
        others=20_000,
        eye_steps=20_000,
    ),
}
#: Of MMFusion, where a row does not say otherwise: what validated best of what was tried.
_REAL_CONFIG = {"width": 16, "members": 5, "drop": 0.7, "guide": "frozen", "readout": "mean"}
_SIMULATED_CONFIG = {"width": 32, "members": 1, "drop": 0.1, "guide": "frozen"}


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
        return self.source.study(self.budget, **self.row.study)

    @property
    def plan(self) -> Plan:
        """How MMFusion trains."""
        return self.source.plan(self.budget)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Of MMFusion."""
        tables = [dict(table) for table in self.study.tables if table["key"] not in self.row.without]
        row = dict(self.row.config)
        if not self.source.has_images:
            return {"tables": tables, **_REAL_CONFIG, **row}
        images = {"backbone": self.row.study.get("backbone", simulated.BACKBONE), **IMAGES, **row.pop("images", {})}
        return {"tables": tables, "images": images, **_SIMULATED_CONFIG, **row}

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        facts: dict[str, Any] = {"kind": self.row.kind, "without": self.row.without, "seed": self.seed}
        facts |= {"measure": _MEASURE} | dict(self.study.facts)
        if self.row.kind in (MMFUSION, FRESH):
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
        From a budget and what a row asks for to the study; the same every time.
    missing : callable
        Why there is none, or None.
    rows : tuple of Row
        Its table.
    has_images : bool
        Whether there are.
    times : int
        How many times the budget's patients there are, and its steps.
    """

    name: str
    study: Callable[..., Study]
    missing: Callable[[], str | None]
    rows: tuple[Row, ...]
    has_images: bool = False
    times: int = 1

    def plan(self, budget: Budget) -> Plan:
        """Return how MMFusion trains."""
        own = budget.images if self.has_images else budget.tables
        return replace(own, guide=_times(own.guide, self.times), diffusion=_times(own.diffusion, self.times))


def _times(plan: Optimisation, times: int) -> Optimisation:
    return plan.model_copy(update={"steps": times * plan.steps, "warmup": times * plan.warmup})


#: How many times the patients of the table are those of whom the paper's steps are tried again.
TIMES = 3


def _simulated(budget: Budget, *, backbone: str = simulated.BACKBONE, radiomics: bool = False, times: int = 1) -> Study:
    return simulated.study(
        patients=times * budget.patients,
        seed=simulated.SEED,
        backbone=backbone,
        others=budget.others,
        steps=budget.eye_steps,
        radiomics=radiomics,
    )


SOURCES = (
    Source("simulated", _simulated, lambda: None, SIMULATED, has_images=True),
    Source("many", partial(_simulated, times=TIMES), lambda: None, MANY, has_images=True, times=TIMES),
    Source("hancock", lambda _: head_and_neck.hancock(), head_and_neck.missing, HANCOCK),
    Source("lydata", lambda _: levels.lydata(), levels.missing, LYDATA),
    Source("esca", lambda _: tcga.oesophagus(), tcga.missing, OUTSIDE),
    Source("stomach", lambda _: tcga.from_the_stomach(), tcga.missing, OUTSIDE),
    Source("outside", lambda _: tcga.from_head_and_neck(), tcga.missing, OUTSIDE),
)


def todo(budget: Budget, quick: bool) -> tuple[list[Task], list[str]]:
    """Return all cells, seed after seed so that what is there can be read early; and what is left out, and why."""
    reasons = {source.name: source.missing() for source in SOURCES}
    there = [source for source in SOURCES if reasons[source.name] is None]
    most = max(row.seeds or 0 for source in there for row in source.rows)
    tasks = [
        Task(source, row, budget, seed)
        for seed in range(max(budget.seeds, 1 if quick else most))
        for source in there
        for row in source.rows
        if seed < (budget.seeds if quick or row.seeds is None else row.seeds)
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
