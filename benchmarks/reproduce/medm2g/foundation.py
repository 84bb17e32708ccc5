"""What all rows of a seed begin with: autoencoders and latent diffusion models alone.

They are those of a model that is there, or trained here once, as round 0 of a seed. Of a model whose flows listen to
each other already, cross-attention is left out: rows begin with one of their seed, that adds nothing yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.reproduce.medm2g import cohort, rows, stages
from benchmarks.reproduce.medm2g.figures import Patients
from benchmarks.reproduce.medm2g.networks import Ablated, built, prepared, train
from benchmarks.reproduce.medm2g.tasks import Task
from benchmarks.shared.cells import Cell
from benchmarks.shared.places import RUNS
from diffuscope.model.folder import Model, load_model

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
    def start(self) -> Model | None:
        """The model that rows begin with, where there is one."""
        return load_model(self.task.budget.start) if self.task.budget.start else None

    @cached_property
    def stated(self) -> dict[str, Any]:
        """Sizes and pieces of words."""
        if self.start is not None:
            return self.start.system.config.model_dump(mode="json")
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
        self, *, context: Mapping[str, Any] = rows.WHOLE.context, align: bool = True, invariant: bool = True
    ) -> Ablated:
        """Return a system after round 0, trained now or before; what a row has beside begins as it is built."""
        config = cohort.configuration(self.stated, context=context, invariant=invariant)
        system = built(config, seed=self.task.seed, align=align)
        expected = _flows(system)
        if self.start is not None:
            own = _cross(system)
            stored = {name: one for name, one in _flows(self.start.system).items() if name not in own}
            _silence(system)
            expected = {name: one for name, one in expected.items() if name not in own}
        else:
            self.cell.compute(ROOT, self._work)
            stored = torch.load(ROOT / self.cell.key / "flows.pt", weights_only=True)
        missing, unknown = system.load_state_dict(stored, strict=False)
        assert not unknown and not any(name in missing for name in expected)
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


def _flows(system: nn.Module) -> dict[str, Any]:
    """Return the weights that round 0 trains: autoencoders and latent diffusion models with their cross-attention."""
    return {name: one for name, one in system.state_dict().items() if ".side." in name or ".null." in name}


def _cross(system: Ablated) -> set[str]:
    """Return the names of the weights of cross-attention."""
    whole = {
        id(one)
        for name, part in system.parts().items()
        if name.startswith("cross-")
        for m in part
        for one in m.parameters()
    }
    return {name for name, one in system.named_parameters() if id(one) in whole}


def _silence(system: Ablated) -> None:
    """Let cross-attention begin at adding nothing, as a text's does by itself."""
    for name, one in system.named_parameters():
        if name in _cross(system) and ".to_out." in name:
            nn.init.zeros_(one)
