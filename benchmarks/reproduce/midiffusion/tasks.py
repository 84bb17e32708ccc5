"""MIDiffusion's table: what is trained, on what, for how long, and what the paper claims of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from benchmarks.reproduce.claims import Claim
from benchmarks.reproduce.midiffusion.data import FEW
from benchmarks.shared.cells import Cell, Training
from benchmarks.shared.scans import DIRECTIONS, PAPER, Direction, Pictures
from benchmarks.shared.translated import COLUMNS

#: Of rows that a claim compares.
SEEDS = 3
#: Least AUC of a patient's CT and MR that counts as registered (see `data.registration_auc`).
REGISTERED = 0.8
# Raise it when what a cell measures changes.
_MEASURE = 3
# Work of a slice alone, over that of one that its neighbours guide, too: in two of three evaluations all three do.
_ALONE = 0.43


@dataclass(frozen=True)
class Budget:
    """How long and how large: the same for every row.

    Attributes
    ----------
    steps, batch, patch : int
        Optimiser steps of a cell, crops a step, and their side in px.
    size : {"paper", "small", "tiny"}
        Widths of every network.
    side, slices : int
        Side of the crops that test, px, and about how many of them all patients have together.
    t0 : tuple of float
        Where SDEdit is tried to begin; and on from there, as long as the last one is the best.
    samples : int
        K of a mean.
    """

    steps: int
    batch: int
    patch: int
    size: Literal["paper", "small", "tiny"]
    side: int
    slices: int
    t0: tuple[float, ...]
    samples: int


_T0 = (0.3, 0.4, 0.5, 0.6)
BUDGETS = {
    "standard": Budget(steps=2000, batch=4, patch=64, size="small", side=128, slices=10, t0=_T0, samples=3),
    "quick": Budget(steps=4, batch=2, patch=32, size="tiny", side=64, slices=2, t0=(0.4,), samples=2),
    # Widths, batch and patch are the official code's; steps are a guess.
    "full": Budget(steps=400_000, batch=4, patch=128, size="paper", side=128, slices=200, t0=_T0, samples=8),
}
# Peak of the learning rate: the shipped recipes' is for batches of whole slices.
_RATE = 4e-4
#: Directions of ``--quick``: one of each data set.
_TRIED = ("T1 to FLAIR", "MR to CT")


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
        What differs from the shipped recipe.
    wider : int
        How many times the side of the other rows' crops its own have; there are fewer of them, for as many px a step.
    """

    name: str
    what: str
    system: str = "midiffusion"
    config: Mapping[str, Any] = field(default_factory=dict)
    wider: int = 1


LMI, LARGER, WIDER, UNET = "midiffusion", "midiffusion, LMI of 5 × 5", "midiffusion, wider crops", "paired U-Net"
ROWS = (
    Row(LMI, "LMI of the source, default guidance"),
    Row(LARGER, "in images averaged 2 × 2", config={"lmi": {"patch": 5, "reduce": 2}}),
    Row(WIDER, "crops of twice the side, a quarter of them", wider=2),
    Row(UNET, f"regression (MSE), trained on the pairs of {100 // FEW} % of the slices", "unet-regression"),
)
#: What else the trained network of `LMI` is asked.
NEAR, SHUFFLED, NOTHING = "midiffusion, neighbours", "shuffled source", "no source"
SDEDIT, SDEDIT_MATCHED = "SDEdit", "SDEdit, matched"
ITSELF, INVERTED, REMAPPED, THIRD = "target as source", "target inverted", "target remapped", "source remapped"
ASKED = {
    NEAR: "and of the slices before and after (ours; the default of a run)",
    SHUFFLED: "LMI of another patient's slice",
    NOTHING: "guidance 0",
    SDEDIT: "guidance 0, begun at the source, best t0",
    SDEDIT_MATCHED: "the same after histogram matching, best t0",
    ITSELF: "LMI of the truth: perfectly registered",
    INVERTED: "LMI of the truth, dark for bright",
    REMAPPED: "LMI of the truth, by a curve that rises and falls",
    THIRD: "LMI of the source, by that curve",
}
#: What needs no training of a network.
IDENTITY, MATCHED, MEAN_IMAGE, MEAN_VALUE = "source as it is", "source, matched", "mean image", "mean value"
UNTRAINED = {
    IDENTITY: "its range for the target's",
    MATCHED: "by histogram",
    MEAN_IMAGE: "of the target's slices that trained, px by px",
    MEAN_VALUE: "of those",
}


def mean_of(method: str) -> str:
    """Return what the mean of K samples of a method is called."""
    return f"{method}, mean"


#: Methods with a mean of K samples beside the single one.
AVERAGED = (LMI, NEAR, LARGER, WIDER, SHUFFLED, NOTHING, SDEDIT, SDEDIT_MATCHED)
#: All methods, as the table has them, and what they are.
METHODS = {
    **UNTRAINED,
    **{
        one: what
        for name, told in ({row.name: row.what for row in ROWS} | ASKED).items()
        for one, what in ((name, told), *(((mean_of(name), "of K samples"),) if name in AVERAGED else ()))
    },
}


def registered(direction: str) -> str:
    """Return what the part of a direction's table is called whose pairs look registered."""
    return f"{direction}, registered"


#: PSNR of MIDiffusion less that of SDEdit, dB (table 1).
_PAPER = {"T1 to FLAIR": "+1.23", "FLAIR to T1": "+2.88", "MR to CT": "+4.45", "CT to MR": "+2.16"}


def _claims(direction: Direction) -> list[Claim]:
    says = f"{_PAPER[direction.name]} dB over SDEdit (table 1)"
    pairs = [
        (LMI, SDEDIT, says),
        (LMI, SDEDIT_MATCHED, says),
        (LMI, SHUFFLED, "control: above 0"),
        (LMI, MEAN_IMAGE, "control: above 0"),
        (LMI, IDENTITY, "control: above 0"),
        (mean_of(LMI), mean_of(SDEDIT), says),
        (mean_of(LMI), mean_of(SDEDIT_MATCHED), says),
        (mean_of(LMI), mean_of(SHUFFLED), "control: above 0"),
        (mean_of(LMI), MEAN_IMAGE, "control: above 0"),
        (mean_of(LMI), IDENTITY, "control: above 0"),
        (NEAR, LMI, "not in the paper"),
    ]
    tables = [direction.name, *([registered(direction.name)] if is_gated(direction) else [])]
    return [Claim(name, *pair) for name in tables for pair in pairs]


def is_gated(direction: Direction) -> bool:
    """Whether the pairs' registration can be judged, and has to be: those of CT and MR."""
    return "CT" in {one.name for one in direction.modalities}


CLAIMS = tuple(claim for direction in DIRECTIONS for claim in _claims(direction))


@dataclass(frozen=True)
class Task:
    """One cell to train and measure.

    Attributes
    ----------
    direction : Direction
    row : Row or None
        None: what needs no training, and how the pairs lie on each other.
    budget : Budget
    seed : int
    """

    direction: Direction
    row: Row | None
    budget: Budget
    seed: int = 0

    @cached_property
    def training(self) -> Training:
        """What is trained."""
        assert self.row is not None
        budget, recipe = self.budget, self.direction.recipe
        own = {"size": budget.size, "patch": budget.patch * self.row.wider}
        if self.row.system == "midiffusion":
            config = recipe.config | PAPER | own | dict(self.row.config)
        else:
            config = {"stain": self.direction.modalities[1].name, "mpp": recipe.config["mpp"]} | own
        batch = max(budget.batch // self.row.wider**2, 1)
        own_plan = {
            "steps": budget.steps, "batch": batch, "warmup": budget.steps // 20, "seed": self.seed,
            "learning_rate": _RATE,
        }  # fmt: skip
        plan = recipe.optimisation.model_copy(update=own_plan)
        return Training(self.row.system, config, plan)

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        direction, budget = self.direction, self.budget
        facts: dict[str, Any] = {
            "shipped": direction.shipped, "data": direction.folder, "files": list(direction.files),
            "held": list(direction.held), "few": FEW, "side": budget.side, "slices": budget.slices,
            "t0": list(budget.t0), "samples": budget.samples, "columns": list(COLUMNS), "measure": _MEASURE,
        }  # fmt: skip
        name = "untrained" if self.row is None else self.row.name.replace(", ", "-").replace(" ", "-").replace("×", "x")
        trained = self.training.facts() if self.row else {"system": None, "config": direction.recipe.config}
        return Cell(f"{name}-{direction.shipped}-seed{self.seed}", facts | trained)

    @property
    def slices(self) -> int:
        """Slices of each patient that tests."""
        return max(self.budget.slices // len(self.direction.held), 1)

    def noise_batch(self) -> dict[str, Tensor]:
        """Return a batch of noise, as the system takes it: to time a step."""
        side, batch = self.training.config["patch"], self.training.optimisation.batch
        noise = torch.rand(2, batch, 1, side, side, generator=torch.Generator().manual_seed(0))
        keys = [one.key for one in self.direction.modalities]
        return self.batch(dict(zip(keys, noise, strict=True)))

    def sampled_tiles(self) -> tuple[int, int]:
        """Return how many slices, sampled by default, take as long as those of this cell, and their side in px."""
        budget = self.budget
        # LMI, shuffled, no source, the best of both SDEdits; four other sources; the sweeps of SDEdit
        alone = 5 * budget.samples + 4 + 2 * len(budget.t0)
        each = {
            LMI: budget.samples + _ALONE * alone,
            LARGER: _ALONE * budget.samples,
            WIDER: _ALONE * budget.samples,
            UNET: 1.0,
        }
        assert self.row is not None
        return round(each[self.row.name] * self.slices * len(self.direction.held)), budget.side

    def batch(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a batch of both modalities, in their ranges, as the row's system takes it."""
        assert self.row is not None
        if self.row.system == "midiffusion":
            return dict(images)
        source, target = ((images[one.key] - one.low) / (one.high - one.low) for one in self.direction.modalities)
        return {"he": as_picture(source), "ihc": as_picture(target)}


def as_picture(image: Tensor) -> Tensor:
    """Return 0 … 1, (n, 1, h, w), as the baselines of virtual staining take pictures."""
    return (255.0 * image).expand(-1, 3, -1, -1)


def as_image(picture: Tensor) -> Pictures:
    """Return a baseline's picture as 0 … 1, (n, h, w)."""
    image: Pictures = picture.mean(dim=1).numpy() / 255.0
    return image


def remapped(picture: Pictures) -> Pictures:
    """Return 0 … 1 by a curve that no scanner has: up to two thirds of the range it rises, beyond it falls."""
    found: Pictures = torch.sin(0.75 * torch.pi * torch.from_numpy(picture)).numpy()
    return found


def todo(budget: Budget, quick: bool) -> tuple[list[Task], list[str]]:
    """Return all cells, seed after seed so that what is there can be read early; and what is left out, and why."""
    wanted = [one for one in DIRECTIONS if not quick or one.name in _TRIED]
    missing = [one for one in wanted if not one.is_there]
    notices = [f"{one.name}: there is no folder ../shared/data/{one.folder} beside the repository." for one in missing]
    tasks = [
        Task(direction, row, budget, seed)
        for seed in range(1 if quick else SEEDS)
        for direction in wanted
        if direction not in missing
        for row in (None, *ROWS)
        if seed == 0 or (row is not None and is_compared(row))
    ]
    return tasks, notices


def is_compared(row: Row) -> bool:
    """Whether a claim compares the row: it then has `SEEDS` seeds, and one otherwise."""
    return row.name in {name for claim in CLAIMS for name in (claim.first, claim.second)}
