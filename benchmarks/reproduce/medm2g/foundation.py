"""What all rows of a seed begin with: autoencoders and latent diffusion models alone.

They are those of the model that ships, whose cross-attention, by which modalities hear each other, is put back to what
it is built as, or trained here once, as round 0 of a seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.reproduce.medm2g import cohort, rows, shipped, stages
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
    def stated(self) -> dict[str, Any]:
        """Sizes and pieces of words."""
        if self.task.budget.ships:
            return shipped.stated()
        words = cohort.vocabulary(self.patients.reports, seed=self.task.seed, root=ROOT)
        changes = self.task.budget.config
        return {**changes, "text": {"vocabulary": words, **changes.get("text", {})}}

    @cached_property
    def cell(self) -> Cell:
        """Where it is kept."""
        budget = self.task.budget
        facts: dict[str, Any] = {"base": _BASE, "seed": self.task.seed, "simulator": cohort.simulator()}
        facts |= {"steps": budget.steps.facts(), "patients": budget.patients}
        return Cell(f"round0-{self.task.seed}", facts | {"config": cohort.configuration(self.stated)})

    def system(
        self,
        *,
        context: Mapping[str, Any] = rows.WHOLE.context,
        align: bool = True,
        invariant: bool = True,
        places: bool = True,
    ) -> Ablated:
        """Return a system after round 0, trained now or before; what a row has beside begins as it is built."""
        config = cohort.configuration(self.stated, context=context, invariant=invariant, places=places)
        system = built(config, seed=self.task.seed, align=align)
        if self.task.budget.ships:
            stored = _deaf(shipped.system())
        else:
            self.cell.compute(ROOT, self._work)
            stored = torch.load(ROOT / self.cell.key / "flows.pt", weights_only=True)
        missing, unknown = system.load_state_dict(stored, strict=False)
        # What takes a vector adds nothing yet, and rows without f_B have none.
        assert all("cond_proj" in name for name in unknown)
        assert not any(_is_flow(name) for name in set(missing) - _heard(system))
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
        train(system, cases, stages.first(budget.steps), folder=folder, seed=seed)
        for one in folder.glob("*.pt"):
            one.unlink()
        torch.save(_flows(system), folder / "flows.pt")
        return {"seconds": json.loads((folder / "seconds.json").read_text())}


def _flows(system: Ablated) -> dict[str, Any]:
    """Return the weights that round 0 trains: autoencoders and latent diffusion models with their cross-attention."""
    return {name: one for name, one in system.state_dict().items() if _is_flow(name)}


def _deaf(system: Ablated) -> dict[str, Any]:
    """Return the weights of autoencoders and denoisers without what hears other modalities."""
    heard = _heard(system)
    return {name: one for name, one in _flows(system).items() if name not in heard}


def _heard(system: Ablated) -> set[str]:
    """Return the names of the weights of cross-attention, and of what takes a vector with the time step."""
    parts = [part for name, modules in system.parts().items() if name.startswith("cross-") for part in modules]
    hearing = {id(one) for part in parts for one in part.parameters()}
    return {name for name, one in system.named_parameters() if id(one) in hearing}


def _is_flow(name: str) -> bool:
    return ".side." in name or ".null." in name
