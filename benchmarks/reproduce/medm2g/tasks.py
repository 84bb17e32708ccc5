"""MedM2G's tables: budgets and cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from benchmarks.reproduce.medm2g import shipped
from benchmarks.reproduce.medm2g.cohort import simulator
from benchmarks.reproduce.medm2g.rows import ALIGNED, BRIDGED, ROWS, SHIPS, SINGLE, SUPERVISED, SYSTEM, Row
from benchmarks.reproduce.medm2g.stages import Steps
from benchmarks.shared.cells import Cell

# Raise it when what a cell measures changes.
_MEASURE = 4


@dataclass(frozen=True)
class Budget:
    """How much is computed; the same for all rows.

    Attributes
    ----------
    seeds : int
        Of training patients, weights and order; those who test are always the same.
    patients, tests, others : int
        Who trains, who tests, and who the encoder of FID was trained on.
    steps : Steps
        Of the rounds.
    sampling : int
        DDIM steps (η = 1).
    reading : int
        Steps of that encoder, and of the downstream reader.
    few, generated : int
        Real patients whom the downstream reader has, and pairs that are generated for it.
    known : int
        Patients who trained the model that ships, among whom what it makes is looked for.
    config : mapping
        Of MedM2G, what differs from its defaults; where rows begin with the model that ships, what that one states.
    ships : bool
        Whether rows of MedM2G begin with the autoencoders and denoisers of the model that ships, their cross-attention
        as it is built; else those are trained here, as round 0 of a seed.
    """

    seeds: int
    patients: int
    tests: int
    others: int
    steps: Steps
    sampling: int
    reading: int
    few: int
    generated: int
    known: int
    config: Mapping[str, Any]
    ships: bool = False

    def facts(self) -> dict[str, Any]:
        """Return JSON values for a cell's key, without how many seeds there are to be."""
        return {name: value for name, value in asdict(self).items() if name != "seeds"}


_TINY = {
    "autoencoder": {"widths": (8, 16, 16, 16)},
    "unet": {"widths": (16, 32), "near": 1},
    "context": {"width": 32, "layout": True, "drawn": ("xray",)},
    "text": {"hidden": 32, "layers": 1, "heads": 2, "latent": 16},
}
BUDGETS = {
    "standard": Budget(
        seeds=3,
        patients=1800,
        tests=64,
        others=1500,
        steps=Steps(encode=0, write=0, generate=0, align=100, cross=100, batch=16, pair=8),
        sampling=10,
        reading=600,
        few=40,
        generated=200,
        known=12_000,
        config={},
        ships=True,
    ),
    "quick": Budget(
        seeds=1,
        patients=48,
        tests=24,
        others=24,
        steps=Steps(encode=3, write=3, generate=3, align=3, cross=3, batch=8, pair=8),
        sampling=2,
        reading=3,
        few=8,
        generated=16,
        known=48,
        config=_TINY,
    ),
    "full": Budget(
        seeds=5,
        patients=60_000,
        tests=1000,
        others=20_000,
        steps=Steps(
            encode=100_000, write=100_000, generate=200_000, align=20_000, cross=100_000, batch=256, pair=256, rate=1e-4
        ),
        sampling=50,
        reading=10_000,
        few=40,
        generated=10_000,
        known=12_000,
        config={"unet": {"widths": (128, 256, 256)}, "context": {"width": 512}},
    ),
}


@dataclass(frozen=True)
class Task:
    """One cell.

    Attributes
    ----------
    row : Row
        What is trained.
    budget : Budget
        How much.
    seed : int
        Of training patients and weights.
    """

    row: Row
    budget: Budget
    seed: int

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        row = self.row
        facts: dict[str, Any] = {"measure": _MEASURE, "kind": row.kind, "seed": self.seed, "simulator": simulator()}
        if row.kind == SHIPS or (self.budget.ships and row.kind in (SYSTEM, SINGLE, SUPERVISED, ALIGNED, BRIDGED)):
            facts["weights"] = shipped.digest()
        facts |= {"asked": [one.name for one in row.asked], "budget": self.budget.facts()}
        if row.kind in (SYSTEM, ALIGNED):
            facts |= {
                "align": row.align,
                "invariant": row.invariant,
                "context": dict(row.context),
                "places": row.places,
            }
        return Cell(f"{row.name}-{self.seed}", facts)


def todo(budget: Budget, quick: bool) -> tuple[list[Task], list[str]]:  # noqa: ARG001
    """Return all cells, seed after seed so that what is there can be read early; nothing is left out here."""
    return [Task(row, budget, seed) for seed in range(budget.seeds) for row in ROWS if seed < seeds(row, budget)], []


def seeds(row: Row, budget: Budget) -> int:
    """Return how many cells a row has: what ships was trained once."""
    return 1 if row.kind == SHIPS else budget.seeds


def plan(todo: Sequence[Task], *, root: Any) -> str:
    """Return how many cells are to be computed, and how long they should take: as long as their like took before."""
    known: dict[str, list[float]] = {}
    left: list[Task] = []
    for task in todo:
        found: Mapping[str, Any] | None = task.cell.found(root)
        if found is None:
            left.append(task)
        else:
            known.setdefault(task.row.name, []).append(found["seconds"])
    timed = [sum(own) / len(own) for task in left if (own := known.get(task.row.name))]
    end = f"{sum(timed) / 60:.0f} min for {len(timed)} of them, as long as others of their row took here"
    return f"{len(todo)} cells, {len(todo) - len(left)} of them done, {len(left)} to do: {end}"
