"""How long a table will take here: measured, not guessed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks.reproduce.fill import HasCell
from benchmarks.shared.cells import Training
from diffuscope.devices import pick_device, pick_precision
from diffuscope.diffusion.noise import TileNoise
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system
from diffuscope.training.data.batches import laid_out

_WARM, _TIMED, _SAMPLED = 2, 7, 3


class Planned(HasCell, Protocol):
    """What takes time."""

    @property
    def row(self) -> Any:
        """Has a ``name``; None: nothing is trained."""
        ...

    @property
    def training(self) -> Training:
        """What is trained."""
        ...

    def noise_batch(self) -> dict[str, Tensor]:
        """Return a batch of noise, as the system takes it."""
        ...

    def sampled_tiles(self) -> tuple[int, int]:
        """Return how many tiles are sampled, and their side in px."""
        ...


def plan(todo: Sequence[Planned], *, root: Path) -> str:
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
        plan, (tiles, _) = task.training.optimisation, task.sampled_tiles()
        seconds = step * plan.steps + tile * tiles
        total += seconds
        lines.append(
            f"  {task.cell.name:45s} {plan.steps:8d} steps of "
            f"{plan.batch} crops of {task.training.config['patch']} px  {seconds / 60:7.1f} min"
        )
    done = len(todo) - len(open_ones)
    head = f"{len(todo)} cells, {done} of them done, {len(open_ones)} to do:"
    timed = "  ".join(f"{name} {1000 * step:.0f} ms" for name, (step, _) in known.items())
    end = f"measured here, a step: {timed}\ntogether {total / 3600:.1f} h" if known else "nothing is left to train"
    return "\n".join([head, *lines, end])


def _seconds(task: Planned) -> tuple[float, float]:
    """Return seconds of a training step, and of sampling one tile."""
    device = pick_device()
    bf16 = pick_precision(device) == "bf16"
    system = build_system(task.training.system, task.training.config).to(device)
    optimiser = torch.optim.AdamW(system.parameters())
    batch = {key: laid_out(value.to(device)) for key, value in task.noise_batch().items()}
    steps, samples = [], []
    for i in range(_WARM + _TIMED):
        start = time.monotonic()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            terms = system.loss(batch, torch.Generator().manual_seed(i))
        torch.stack([terms[name] for name in system.players()]).sum().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        # Kernels on a GPU are only queued until one of their results is read.
        terms["loss"].item()
        steps.append(time.monotonic() - start)
    system.eval()
    for _ in range(_SAMPLED):
        start = time.monotonic()
        _sample(system, task.sampled_tiles()[1], device, bf16=bf16)
        samples.append(time.monotonic() - start)
    # Medians: a step during which the machine did something else says nothing.
    return median(steps[_WARM:]), median(samples)


def _sample(system: System, side: int, device: torch.device, *, bf16: bool) -> None:
    planes = 2 * system.context + 1
    shape = {port.key: (1, 3 if port.kind == "rgb" else planes, side, side) for port in system.inputs}
    inputs = {key: laid_out(255 * torch.rand(*one, device=device)) for key, one in shape.items()}
    noise = TileNoise(0, [(0, 0)], side, side, device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for _ in system.sample(inputs, noise, next(iter(system.presets.values()))):
            pass
