"""Round 0 of a seed: autoencoders and latent diffusion models alone, trained once and shared by all its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.reproduce.medm2g import cohort, rows, stages
from benchmarks.reproduce.medm2g.figures import Patients
from benchmarks.reproduce.medm2g.networks import Ablated, built, prepared, train
from benchmarks.reproduce.medm2g.tasks import Task
from benchmarks.shared.cells import Cell
from benchmarks.shared.places import RUNS

ROOT = RUNS / "reproduce" / "medm2g"
# Raise it when round 0 changes.
_BASE = 1


@dataclass(frozen=True, eq=False)
class Foundation:
    """What all rows of a seed begin with.

    Attributes
    ----------
    task : Task
        For its budget and seed.
    patients : Patients
        Who trains.
    """

    task: Task
    patients: Patients

    @cached_property
    def words(self) -> dict[str, Any]:
        """Pieces of words."""
        return cohort.vocabulary(self.patients.reports, seed=self.task.seed, root=ROOT)

    @cached_property
    def cell(self) -> Cell:
        """Where it is kept."""
        budget = self.task.budget
        facts: dict[str, Any] = {"base": _BASE, "seed": self.task.seed, "simulator": cohort.simulator()}
        facts |= {"steps": budget.steps.facts(), "patients": budget.patients}
        return Cell(f"round0-{self.task.seed}", facts | {"config": cohort.configuration(self.words, budget.config)})

    def system(
        self, *, context: Mapping[str, Any] = rows.WHOLE.context, align: bool = True, invariant: bool = True
    ) -> Ablated:
        """Return a system after round 0, trained now or before; what a row has beside begins as it is built."""
        budget, seed = self.task.budget, self.task.seed
        self.cell.compute(ROOT, self._work)
        config = cohort.configuration(self.words, budget.config, context=context, invariant=invariant)
        system = built(config, seed=seed, align=align)
        stored = torch.load(ROOT / self.cell.key / "flows.pt", weights_only=True)
        missing, unknown = system.load_state_dict(stored, strict=False)
        assert not unknown and not any(name in missing for name in _flows(system))
        return system.eval()

    def seconds(self) -> dict[str, float]:
        """Return how long it took, and how many steps it has."""
        found = self.cell.found(ROOT)
        steps = sum(stage.steps for stage in stages.first(self.task.budget.steps))
        return {"base": sum(found["seconds"].values()) if found else 0.0, "base_steps": steps}

    def _work(self, folder: Path) -> dict[str, Any]:
        budget, seed = self.task.budget, self.task.seed
        system = built(self.cell.facts["config"], seed=seed)
        cases = prepared(system, self.patients, keys=cohort.paired(len(self.patients)))
        train(system, cases, stages.first(budget.steps), folder=folder, batch=budget.steps.batch, seed=seed)
        for one in folder.glob("*.pt"):
            one.unlink()
        torch.save(_flows(system), folder / "flows.pt")
        return {"seconds": json.loads((folder / "seconds.json").read_text())}


def _flows(system: Ablated) -> dict[str, Any]:
    """Return the weights that round 0 trains: autoencoders and latent diffusion models with their cross-attention."""
    return {name: one for name, one in system.state_dict().items() if ".side." in name or ".null." in name}
