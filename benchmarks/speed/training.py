"""What the trainer costs beside the network: its samples a second over those of a bare PyTorch loop, and its waiting.

Both train the shipped recipe's system on the same device, with the same precision, optimiser and averaging. `ratio` is
on batches that are ready, in turns, so that a machine that others use as well slows both alike. `wait_share` is the
part of the time that the trainer waits for batches that it has to make: the recipe's own (`wait_share`), crops of
a user's PNG pairs (`wait_share_pairs`). On a CPU a batch that is made ahead still takes its share of the cores:
`batch_share`, seconds of one core for a batch over seconds of a step.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.shared.figures import Goal
from benchmarks.shared.scores import shipped_recipe
from diffuscope.devices import pick_device, pick_precision
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.example import write_example
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.events import StepDone
from diffuscope.training.model import make_starts
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import Optimisation, Recipe, load_recipe
from diffuscope.training.trainer import fit

STEPS, WARM, TURNS = 12, 2, 3
GOALS = {"ratio": Goal(low=0.95), "wait_share": Goal(high=0.05), "wait_share_pairs": Goal(high=0.05)}


def bare(recipe: Recipe, batches: list[Mapping[str, Tensor]]) -> float:
    """Return seconds a step of a loop of plain PyTorch."""
    device = pick_device()
    fast = pick_precision(device) == "bf16"
    system = make_starts(recipe)[-1].system.to(device=device, memory_format=torch.channels_last).train()
    parameters = [p for p in system.parameters() if p.requires_grad]
    average = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4)
    times = []
    for step in range(STEPS):
        begin = perf_counter()
        batch = {
            key: value.to(device).contiguous(memory_format=torch.channels_last)
            for key, value in batches[step % len(batches)].items()
        }
        with torch.autocast(device.type, torch.bfloat16) if fast else nullcontext():
            loss = system.loss(batch, torch.Generator().manual_seed(step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 0.1)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - begin)
    return median(times[WARM:])


def trainer(recipe: Recipe, data: TrainingData) -> tuple[float, float]:
    """Return seconds a step of the trainer, and which part of all steps it waited for batches."""
    plan = Optimisation(steps=STEPS, batch=recipe.optimisation.batch, validations=1, keep="last")
    begins: list[float] = []
    last: list[StepDone] = []

    def began() -> bool:
        # ComputeRequest before every step.
        begins.append(perf_counter())
        return False

    def tell(event: object) -> None:
        if isinstance(event, StepDone):
            last.append(event)

    with tempfile.TemporaryDirectory() as folder:
        system = make_starts(recipe)[-1].system
        fit(system, data, plan, folder=Path(folder), device=pick_device(), cancelled=began, report=tell)
    times = [after - before for before, after in pairwise(begins)]
    return median(times[WARM:]), last[-1].waited / last[-1].seconds


def measure() -> dict[str, float]:
    """Time both in turns, then the trainer with batches that it has to make."""
    recipe = shipped_recipe("stain-ck818-first")
    made = prepare(recipe, sample_path())[-1].data
    ready = [made.batch_at(number) for number in range(4)]
    held = TrainingData(lambda number: ready[number % len(ready)], made.validation[:1])
    turns = [(bare(recipe, ready), trainer(recipe, held)[0]) for _ in range(TURNS)]
    seconds = [median(column) for column in zip(*turns, strict=True)]
    _, wait = trainer(recipe, TrainingData(made.batch_at, made.validation[:1]))
    size = recipe.optimisation.batch
    figures = {
        "ratio": median(one / other for one, other in turns),
        "samples_per_s": size / seconds[1],
        "samples_per_s_bare": size / seconds[0],
        "wait_share": wait,
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_example(folder)
        tuning = load_recipe(folder / "finetune.yaml")
        pairs = prepare(tuning, folder)[-1].data
        _, wait = trainer(tuning, TrainingData(pairs.batch_at, pairs.validation[:1]))
    return figures | {"wait_share_pairs": wait, "batch_share": _cost(made.batch_at) / seconds[1]}


def _cost(batch_at: Callable[[int], object]) -> float:
    """Return the seconds that making a batch takes."""
    times = []
    for number in range(STEPS):
        begin = perf_counter()
        batch_at(number)
        times.append(perf_counter() - begin)
    return median(times)
