"""Cells of a table: named by everything that matters to them, computed once, resumed where they were stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from diffuscope import load_model
from diffuscope.devices import pick_device
from diffuscope.model.card import ModelCard
from diffuscope.model.folder import save_model
from diffuscope.systems.registry import build_system
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.events import StepDone
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import fit

#: Part of every cell's key: raise it when code changes what a cell would find, which no key can see by itself.
PROTOCOL = 1
RESULT = "result.json"
# Entries of an optimisation that came later: with their default they belong to no key, or what was found is lost.
_LATER = ("optimiser", "weight_decay")


@dataclass(frozen=True)
class Cell:
    """One figure or set of figures of a table.

    Attributes
    ----------
    name : str
        What people call it; safe in a file name.
    facts : mapping
        JSON values: everything that changes what is found (system, data, budget, seed, how it is measured).
    """

    name: str
    facts: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Name of its folder: its name, and a hash of its facts and of `PROTOCOL`."""
        text = json.dumps({"protocol": PROTOCOL, **self.facts}, sort_keys=True, ensure_ascii=False)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def found(self, root: Path) -> dict[str, Any] | None:
        """Return what was found, or None where the cell is not complete."""
        file = root / self.key / RESULT
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def compute(self, root: Path, work: Callable[[Path], Mapping[str, Any]], *, wait: bool = True) -> dict[str, Any]:
        """Return what was found, now or before. Several processes may share the cells of a table.

        Parameters
        ----------
        root : Path
            Where all cells lie.
        work : callable
            Takes the cell's folder, in which it may leave what it needs to go on after a kill; returns JSON values.
        wait : bool
            Wait where another process is computing this cell.

        Raises
        ------
        filelock.Timeout
            Another process is computing it, and `wait` is False.
        """
        folder = root / self.key
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock", blocking=wait):
            known = self.found(root)
            if known is not None:
                return known
            (folder / "facts.json").write_text(json.dumps(self.facts, indent=1, ensure_ascii=False), encoding="utf-8")
            found = dict(work(folder))
            partial = folder / f"{RESULT}.partial"
            partial.write_text(json.dumps(found, indent=1), encoding="utf-8")
            partial.replace(folder / RESULT)
            return found


@dataclass(frozen=True)
class Training:
    """What is trained, and how.

    Attributes
    ----------
    system, config
        As `diffuscope.systems.registry.build_system` takes them.
    optimisation : Optimisation
        Steps, batch, rate, seed.
    objective : str
        One of the system's; default its first.
    """

    system: str
    config: Mapping[str, Any]
    optimisation: Optimisation
    objective: str = ""

    def facts(self) -> dict[str, Any]:
        """Return JSON values for a cell's key."""
        stated = Optimisation.model_fields
        plan = {k: v for k, v in self.optimisation.model_dump().items() if k not in _LATER or v != stated[k].default}
        # Where it stood before: what was found then is still true.
        stage = {"stage": self.objective} if self.objective else {}
        return {"system": self.system, "config": dict(self.config) | stage, "optimisation": plan}

    def run(
        self,
        folder: Path,
        batches: Callable[[int], Mapping[str, Tensor]],
        card: ModelCard | Mapping[str, Any],
        *,
        begun: Path | None = None,
    ) -> Path:
        """Train, or finish a training that was stopped; return the model folder.

        Parameters
        ----------
        folder : Path
            The cell's.
        batches : callable
            Batch of a step, from 0.
        card : ModelCard or mapping
            Of the model folder.
        begun : Path, optional
            Model folder whose weights it goes on from; parts that it lacks begin as they are built.
        """
        out, clock = folder / "model", folder / "seconds.json"
        if (out / "config.json").exists():
            return out
        torch.manual_seed(self.optimisation.seed)
        system = build_system(self.system, self.config)
        if begun is not None:
            others = system.load_state_dict(load_model(begun).system.state_dict(), strict=False).unexpected_keys
            assert not others, f"{begun} has weights that this configuration lacks: {others}"
        every = min(250, max(self.optimisation.steps // 4, 1))
        before = float(json.loads(clock.read_text())) if clock.exists() else 0.0

        def tell(event: object) -> None:
            if isinstance(event, StepDone):
                clock.write_text(json.dumps(before + event.seconds))
                if event.step == event.steps:
                    print(f"  {event.steps} steps", flush=True)

        # Nothing validates: what is held out tests, and the last weights count.
        data = TrainingData(batches, [])
        plan = self.optimisation.model_copy(update={"keep": "last", "checkpoint_every": every})
        fit(
            system,
            data,
            plan,
            folder=folder / "training",
            device=pick_device(),
            resume=True,
            report=tell,
            objective=self.objective,
        )
        save_model(out, system, self.system, self.config, card)
        shutil.rmtree(folder / "training")
        return out


def training_seconds(folder: Path) -> float:
    """Return how long a cell's training took, over all its sittings."""
    return float(json.loads((folder / "seconds.json").read_text()))
