"""DAMM-Diffusion's table, real MR: of T1, T2 and FLAIR one from the other two, leave one of two patients out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.reproduce.damm.tasks import WARM, Budget
from benchmarks.shared.cells import Cell, Training, training_seconds
from benchmarks.shared.places import DATA, RECIPES
from benchmarks.shared.slide import sample_tiles
from diffuscope import load_model
from diffuscope.cases import Case
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system
from diffuscope.training.data.batches import laid_out
from diffuscope.training.data.crops import batch_at, ports_of
from diffuscope.training.data.volumes import VolumeSampler, open_volumes
from diffuscope.training.recipe import Optimisation, load_recipe

FOLDER = "ms-brain"
PATIENTS = ("patient07", "patient19")
#: What is made, of which two.
TASKS = {"flair": ("t1", "t2"), "t2": ("t1", "flair"), "t1": ("t2", "flair")}
METHODS = {"dammp": "damm", "dammp-second": "damm", "ldm": "palette", "hrpn-like": "unet-regression"}
#: What the page calls them.
COLUMNS = {"dammp": "damm", "dammp-second": "damm, other way about", "ldm": "palette", "hrpn-like": "unet-regression"}
#: Slices of the patient that tests, and the side of the crop of each, px.
SLICES, SIDE = 16, 128
# Raise it when what a cell measures changes.
_MEASURE = 2
_SHIPPED = "ms-flair-demo"


@dataclass(frozen=True)
class Method:
    """What is trained, as the plan tells it."""

    name: str


@dataclass(frozen=True)
class HeadTask:
    """One cell on real MR.

    Attributes
    ----------
    target : {"flair", "t2", "t1"}
        What is made.
    held : str
        Patient that tests; the other one trains.
    method : {"dammp", "dammp-second", "ldm", "hrpn-like"}
        DAMM-Diffusion, with its uni-modal branch on the first and on the second input; conditional DDPM; U-Net
        regression.
    budget : Budget
        Steps, batch, patch and widths are those of the simulated rows.
    """

    target: str
    held: str
    method: str
    budget: Budget

    @property
    def row(self) -> Method:
        """Its row."""
        return Method(f"mr-{self.method}")

    @property
    def column(self) -> str:
        """What the page calls its method."""
        return COLUMNS[self.method]

    @property
    def is_damm(self) -> bool:
        """Whether it is a DAMM-Diffusion."""
        return METHODS[self.method] == "damm"

    @property
    def name(self) -> str:
        """In words."""
        return f"{', '.join(TASKS[self.target])} to {self.target}".upper().replace(" TO ", " to ")

    @cached_property
    def training(self) -> Training:
        """What is trained."""
        steps, system = self.budget.steps, METHODS[self.method]
        plan = Optimisation(steps=steps, batch=self.budget.batch, learning_rate=1e-3, warmup=steps // 10, ema=0.998)
        if system == "damm":
            config = modalities(self.target)
            if self.method == "dammp-second":
                config |= {"main": config["auxiliaries"][0], "auxiliaries": [config["main"]]}
            own = {"size": self.budget.size, "patch": self.budget.patch, "warmup": round(WARM * steps)}
            return Training(system, config | own, plan)
        config = {"stain": self.target, "mpp": 1000.0, "size": self.budget.size}
        config |= {"patch": self.budget.patch} | ({"T": 1000, "grey": True} if system == "palette" else {})
        return Training(system, config, plan)

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        facts = {"study": FOLDER, "held": self.held, "inputs": TASKS[self.target], "target": self.target}
        facts |= {"slices": SLICES, "side": SIDE, "measure": _MEASURE}
        return Cell(f"mr-{self.method}-{self.target}-{self.held}", facts | self.training.facts())

    def noise_batch(self) -> dict[str, Tensor]:
        """Return a batch of noise, as the system takes it: to time a step."""
        size, side = self.budget.batch, self.budget.patch
        noise = torch.rand(3, size, 1, side, side, generator=torch.Generator().manual_seed(0))
        return self.batch(dict(zip((*TASKS[self.target], self.target), noise, strict=True)))

    def sampled_tiles(self) -> tuple[int, int]:
        """Return how many tiles are sampled, and their side in px."""
        return SLICES * (SIDE // self.budget.patch) ** 2, self.budget.patch

    def batch(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return images in 0 … 1, by key, as the method's system takes them."""
        if self.is_damm:
            return dict(images)
        first, second = (images[key] for key in TASKS[self.target])
        found = {"he": 255.0 * torch.cat([first, second, torch.zeros_like(first)], dim=1)}
        return found | ({"ihc": 255.0 * images[self.target].expand(-1, 3, -1, -1)} if self.target in images else {})

    def batches(self) -> Callable[[int], dict[str, Tensor]]:
        """Return batches of the patient that trains, by step."""
        [trains] = [one for one in PATIENTS if one != self.held]
        sampler = opened(self.target, trains, self.budget.patch)
        system = build_system("damm", modalities(self.target) | {"size": "tiny"})
        size, side = self.budget.batch, self.budget.patch
        return lambda step: self.batch(batch_at([sampler], system, step, seed=0, size=size, side=side))

    def tests(self) -> dict[str, NDArray[np.float32]]:
        """Return crops of the patient that tests, (n, side, side) in 0 … 1, by key."""
        sampler = opened(self.target, self.held, SIDE)
        crops = [sampler.read(corner, SIDE) for corner in sampler.spread(SLICES)]
        return {key: np.stack([crop[key][..., 0] for crop in crops]).astype(np.float32) for key in crops[0]}


def tasks(budget: Budget, *, quick: bool) -> list[HeadTask]:
    """Return all cells; a quick table has one fold of one task."""
    return [
        HeadTask(target, held, method, budget)
        for target in (list(TASKS)[:1] if quick else TASKS)
        for held in (PATIENTS[1:] if quick else PATIENTS)
        for method in METHODS
    ]


def missing() -> str | None:
    """Say what is not there, or None."""
    return None if (DATA / FOLDER).is_dir() else f"Real MR: there is no folder ../shared/data/{FOLDER}."


def modalities(target: str) -> dict[str, Any]:
    """Return the configuration of the shipped DAMM-Diffusion, with the three modalities changed about."""
    scaled = {"range": [0.0, 1.0], "dtype": "float32", "scale": "percentile"}
    main, other, output = ({"key": key, "name": key.upper()} | scaled for key in (*TASKS[target], target))
    config = load_recipe(RECIPES / f"{_SHIPPED}.yaml").config
    return dict(config) | {"main": main, "auxiliaries": [other], "output": output}


@cache
def opened(target: str, patient: str, side: int) -> VolumeSampler:
    """Open a patient's three scans; foreground and ranges are a run's: those of the two inputs."""
    system = build_system("damm", modalities(target) | {"size": "tiny"})
    files = {key: DATA / FOLDER / patient / f"{key.upper()}.nii.gz" for key in (*TASKS[target], target)}
    settings = load_recipe(RECIPES / f"{_SHIPPED}.yaml").data
    assert settings is not None
    return open_volumes(Case(patient, patient, files), ports_of(system), system, settings, side=side)


def measure(task: HeadTask, folder: Path) -> dict[str, Any]:
    """Train a task, or finish its training, and score the slices of the patient that is held out.

    Returns
    -------
    dict
        ``scores``: {"psnr_db", "ssim"}: of each slice; ``constant``: the same of the training patient's mean value;
        ``seconds`` of training and ``parameters``.
    """
    model = task.training.run(folder, task.batches(), _card(task))
    system = load_model(model).system
    tests = task.tests()
    truth, found = tests[task.target], made(task, system, tests)
    [trained] = [one for one in PATIENTS if one != task.held]
    level = replace(task, held=trained).tests()[task.target].mean()
    return {
        "scores": scored(truth, found), "constant": scored(truth, np.full_like(truth, level)),
        "seconds": training_seconds(folder), "parameters": sum(p.numel() for p in system.parameters()),
    }  # fmt: skip


def made(
    task: HeadTask, system: System, tests: Mapping[str, NDArray[np.float32]], **options: float
) -> NDArray[np.float32]:
    """Return what a system makes of the two scans, (n, side, side) in 0 … 1, from tiles that lie side by side."""
    side, truth = task.budget.patch, tests[task.target]
    found = np.empty_like(truth)
    corners = [(y, x) for y in range(0, SIDE, side) for x in range(0, SIDE, side)]
    settings = replace(next(iter(system.presets.values())), options=options)
    for number in range(len(truth)):
        tiles = {
            key: torch.from_numpy(np.stack([tests[key][number, None, y : y + side, x : x + side] for y, x in corners]))
            for key in TASKS[task.target]
        }
        inputs = {key: laid_out(one) for key, one in task.batch(tiles).items()}
        is_damm = task.is_damm
        # A slide has no third axis: its slices lie far from each other.
        places = [(number, y, x) if is_damm else (y, x + 10_000 * number) for y, x in corners]
        outputs, _ = sample_tiles(system, inputs, places, settings)
        guess = outputs[task.target][:, 0] if is_damm else outputs["ihc"].mean(dim=1) / 255.0
        for (y, x), one in zip(corners, guess.numpy(), strict=True):
            found[number, y : y + side, x : x + side] = one
    return found


def scored(truth: NDArray[np.float32], found: NDArray[np.float32]) -> dict[str, list[float]]:
    """Return PSNR, dB, and SSIM of each slice, over a range of 1."""
    pairs = list(zip(truth, found, strict=True))
    return {
        "psnr_db": [psnr(a, b, data_range=1.0) for a, b in pairs],
        "ssim": [ssim(a, b, data_range=1.0) for a, b in pairs],
    }


def _card(task: HeadTask) -> dict[str, Any]:
    return {
        "title": f"A cell of benchmarks.reproduce: {task.cell.name}",
        "what_it_is": "Trained briefly, to be compared.",
        "what_it_is_not": "A model to use.",
        "data": "one of two patients of the MS data of Lesjak et al. 2017, CC BY",
        "licence": "not for release",
        "trained_on": "one real patient's MR",
        "simulated": False,
    }
