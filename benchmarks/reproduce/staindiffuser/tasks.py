"""StainDiffuser's table: what is trained, on what, for how long, and what the paper claims of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from benchmarks.reproduce.claims import Claim
from benchmarks.reproduce.staindiffuser.restained import Restained
from benchmarks.reproduce.staindiffuser.strips import Strips, usable_strips
from benchmarks.reproduce.study import Study
from benchmarks.shared.cells import Cell, Training
from benchmarks.shared.scores import COLUMNS, MPP, THRESHOLD, stain_word
from diffuscope.errors import InputError
from diffuscope.simulation.restaining.sources import BLOCK
from diffuscope.systems.registry import build_system
from diffuscope.training.recipe import Optimisation

#: Diffusion steps of training by stain (paper, §5); BBDM has its own paper's.
STEPS_OF_DIFFUSION = {"CD3": 2000, "CK8/18": 4000, "IHC": 2000}
#: Of rows that a claim compares.
SEEDS = 3
# Tiles of the two restained test slides; a strip has one.
_TEST_TILES = 28


@dataclass(frozen=True)
class Budget:
    """How long and how large: the same for every row.

    Attributes
    ----------
    steps, strip_steps : int
        Optimiser steps of a cell on restained slides, and on strips.
    patch, batch : int
        Side of a crop, px, and crops a step.
    size : {"paper", "small", "tiny"}
        Widths of every network.
    """

    steps: int
    strip_steps: int
    patch: int
    batch: int
    size: Literal["paper", "small", "tiny"]


BUDGETS = {
    "standard": Budget(steps=1000, strip_steps=500, patch=64, batch=4, size="small"),
    "quick": Budget(steps=4, strip_steps=4, patch=32, batch=2, size="tiny"),
    # §5 of the paper: 3 million iterations of 4 crops of 128 px.
    "full": Budget(steps=3_000_000, strip_steps=3_000_000, patch=128, batch=4, size="paper"),
}


@dataclass(frozen=True)
class Row:
    """One method that is trained.

    Attributes
    ----------
    name, what : str
        In the table.
    system : str
        As the registry knows it.
    config : mapping
        What is its own; stain, size, patch, threshold and µm/px are the table's.
    diffusion : bool
        Whether the table sets its T, too.
    several : bool
        Whether it learns all stains at once, each as many crops as another row's one.
    """

    name: str
    what: str
    system: str
    config: Mapping[str, Any] = field(default_factory=dict)
    diffusion: bool = True
    several: bool = False


MULTI_TASK, SINGLE, BBDM = "multi-task", "lambda-0", "bbdm"
ROWS = (
    Row(MULTI_TASK, "StainDiffuser, λ = 1", "staindiffuser", {"lambda_seg": 1.0}),
    Row(SINGLE, "StainDiffuser, λ = 0: no auxiliary task", "staindiffuser", {"lambda_seg": 0.0}),
    Row("distance", "signed distance for the mask", "staindiffuser", {"lambda_seg": 1.0, "auxiliary": "distance"}),
    Row("bidirectional", "H&E ↔ IHC, no masks", "bidirectional-staindiffuser"),
    Row("multi-stain", "CD3 and CK8/18 from one encoder", "multi-staindiffuser", several=True),
    Row("unet-regression", "U-Net, MSE", "unet-regression", diffusion=False),
    Row("pix2pix", "U-Net, PatchGAN and L1", "pix2pix", diffusion=False),
    Row("palette", "conditional DDPM by concatenation", "palette"),
    Row(BBDM, "Brownian bridge, T = 1000", "bbdm", {"T": 1000}, diffusion=False),
)


CLAIMS = (
    Claim("CK8/18", MULTI_TASK, SINGLE, "multi-task better (table 4)"),
    Claim("CK8/18", MULTI_TASK, "distance", "multi-task better (table 4)"),
    Claim("CK8/18", MULTI_TASK, "bidirectional", "+1.20 dB (table 1)"),
    Claim("CK8/18", MULTI_TASK, "multi-stain", "+1.25 dB (table 1, quasi)"),
    Claim("CK8/18", MULTI_TASK, BBDM, "+1.20 dB (table 1)"),
    Claim("CK8/18", MULTI_TASK, "pix2pix", "+2.45 dB (table 1)"),
    Claim("CK8/18", "bidirectional", BBDM, "0.00 dB (table 1)"),
    Claim("CK8/18", "multi-stain", BBDM, "−0.05 dB (table 1, quasi)"),
    Claim("CD3", MULTI_TASK, SINGLE, "multi-task better (in general)"),
    Claim("CD3", MULTI_TASK, "multi-stain", "+0.65 dB (table 1, quasi)"),
    Claim("CD3", MULTI_TASK, BBDM, "+0.50 dB (table 1)"),
    Claim("CD3", "multi-stain", BBDM, "−0.15 dB (table 1, quasi)"),
)


@dataclass(frozen=True)
class Task:
    """One cell to train and measure; without a row, what needs no training.

    Attributes
    ----------
    study : Study
    row : Row or None
    budget : Budget
    seed : int
    """

    study: Study
    row: Row | None
    budget: Budget
    seed: int = 0

    @cached_property
    def training(self) -> Training:
        """What is trained; of a task with a row."""
        assert self.row is not None
        stains = self.study.stains
        config: dict[str, Any] = {
            "mpp": MPP, "size": self.budget.size, "patch": self.budget.patch, "dab_threshold": THRESHOLD,
            **({"stains": list(stains)} if self.row.several else {"stain": stains[0]}),
            **({"T": STEPS_OF_DIFFUSION[stains[0]]} if self.row.diffusion else {}),
            **self.row.config,
        }  # fmt: skip
        steps = self.budget.strip_steps if isinstance(self.study, Strips) else self.budget.steps
        steps *= len(stains)
        plan = Optimisation(
            steps=steps, batch=self.budget.batch, learning_rate=6e-4, warmup=steps // 10, ema=0.999, seed=self.seed
        )
        return Training(self.row.system, config, plan)

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        facts = {"study": self.study.facts(), "columns": list(COLUMNS)}
        if self.row is None:
            return Cell(f"{self.study.name}-untrained", facts)
        return Cell(f"{self.study.name}-{self.row.name}-seed{self.seed}", facts | self.training.facts())

    def noise_batch(self) -> dict[str, Tensor]:
        """Return a batch of noise, as the system takes it: to time a step."""
        side, stains = self.budget.patch, self.study.stains
        picture = 255 * torch.rand(self.budget.batch, 3, side, side, generator=torch.Generator().manual_seed(0))
        key = f"ihc_{stain_word(stains[0])}" if len(stains) > 1 else "ihc"
        mask = (picture[:, :1] > 200).float()
        return {"he": picture, key: picture, "mask": mask, "distance": mask}

    def sampled_tiles(self) -> tuple[int, int]:
        """Return how many tiles are sampled, and their side in px."""
        restained = self.study.name.startswith("restained")
        return (_TEST_TILES * len(self.study.stains) if restained else 1), BLOCK

    def missing(self) -> str | None:
        """Return why this version cannot train it, or None."""
        if self.row is None:
            return None
        try:
            build_system(self.training.system, self.training.config)
        except (InputError, ValidationError) as error:
            reason = str(error)
            if isinstance(error, ValidationError):
                first = error.errors()[0]
                reason = f"{self.row.system} refuses {'.'.join(map(str, first['loc']))}: {first['msg']}."
            return f"The row {self.row.name!r}, which this version cannot train: {reason}"
        return None


def tasks(*, quick: bool, budget: Budget) -> list[Task]:
    """Return all cells of the table: what needs no training, then seed after seed."""
    single = [Restained(("CK8/18",), quick=quick), Restained(("CD3",), quick=quick)]
    strips = [Strips(held) for held in usable_strips()]
    found = [Task(study, None, budget) for study in (*single, *strips)]
    for seed in range(1 if quick else SEEDS):
        for row in ROWS:
            studies = [Restained(("CD3", "CK8/18"), quick=quick)] if row.several else [*single, *strips]
            found += [
                Task(study, row, budget, seed)
                for study in studies
                if seed == 0 or any(is_compared(row.name, stain) for stain in study.stains)
            ]
    return found


def is_compared(row: str, stain: str) -> bool:
    """Whether a claim compares the row: it then has `SEEDS` seeds, and one otherwise."""
    return any(claim.table == stain and row in {claim.first, claim.second} for claim in CLAIMS)
