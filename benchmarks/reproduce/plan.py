"""How long a table will take here: measured, not guessed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks._scores import stain_word
from benchmarks.reproduce.staindiffuser import Task
from diffuscope.devices import pick_device, pick_precision
from diffuscope.diffusion.noise import TileNoise
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system

_WARM, _TIMED, _SAMPLED = 2, 7, 3
_TILE = 256
# Tiles of the two restained test slides; a strip has one.
_TILES = 28


def plan(todo: Sequence[Task], *, root: Path) -> str:
    """Return the cells that are to be computed and the time that they should take, as text.

    Steps and samples of each system are timed on pictures of noise: the network's work does not depend on them.
    """
    known: dict[str, tuple[float, float]] = {}
    lines, total = [], 0.0
    open_ones = [task for task in todo if task.cell.found(root) is None]
    for task in open_ones:
        if task.row is None:
            continue
        if task.row.name not in known:
            known[task.row.name] = _seconds(task)
        step, tile = known[task.row.name]
        tiles = _TILES * len(task.study.stains) if task.study.name.startswith("restained") else 1
        seconds = step * task.training.optimisation.steps + tile * tiles
        total += seconds
        lines.append(
            f"  {task.cell.name:45s} {task.training.optimisation.steps:8d} steps of "
            f"{task.budget.batch} crops of {task.budget.patch} px  {seconds / 60:7.1f} min"
        )
    done = len(todo) - len(open_ones)
    head = f"{len(todo)} cells, {done} of them done, {len(open_ones)} to do:"
    timed = "  ".join(f"{name} {1000 * step:.0f} ms" for name, (step, _) in known.items())
    end = f"measured here, a step: {timed}\ntogether {total / 3600:.1f} h" if known else "nothing is left to train"
    return "\n".join([head, *lines, end])


def _seconds(task: Task) -> tuple[float, float]:
    """Return seconds of a training step, and of sampling one tile."""
    device = pick_device()
    bf16 = pick_precision(device) == "bf16"
    system = build_system(task.training.system, task.training.config).to(device)
    optimiser = torch.optim.AdamW(system.parameters())
    batch = _noise_batch(task, device)
    steps, samples = [], []
    for i in range(_WARM + _TIMED):
        start = time.monotonic()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            terms = system.loss(batch, torch.Generator().manual_seed(i))
        torch.stack([terms[name] for name in system.objectives()]).sum().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        # Kernels on a GPU are only queued until one of their results is read.
        terms["loss"].item()
        steps.append(time.monotonic() - start)
    system.eval()
    for _ in range(_SAMPLED):
        start = time.monotonic()
        _sample(system, device, bf16=bf16)
        samples.append(time.monotonic() - start)
    # Medians: a step during which the machine did something else says nothing.
    return median(steps[_WARM:]), median(samples)


def _noise_batch(task: Task, device: torch.device) -> dict[str, Tensor]:
    side = task.budget.patch
    generator = torch.Generator().manual_seed(0)
    picture = 255 * torch.rand(task.budget.batch, 3, side, side, generator=generator)
    stains = task.study.stains
    keys = [f"ihc_{stain_word(stains[0])}"] if len(stains) > 1 else ["ihc"]
    batch: dict[str, Any] = {"he": picture, "mask": (picture[:, :1] > 200).float(), **dict.fromkeys(keys, picture)}
    batch["distance"] = batch["mask"]
    return {key: value.to(device).contiguous(memory_format=torch.channels_last) for key, value in batch.items()}


def _sample(system: System, device: torch.device, *, bf16: bool) -> None:
    picture = 255 * torch.rand(1, 3, _TILE, _TILE, generator=torch.Generator().manual_seed(0)).to(device)
    noise = TileNoise(0, [(0, 0)], _TILE, _TILE, device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for _ in system.sample({"he": picture}, noise, next(iter(system.presets.values()))):
            pass
