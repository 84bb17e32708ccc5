"""The training loop: AdamW, averaged weights, bf16 where the processor has it, and exact resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffuscope.systems.base import System
from diffuscope.training.recipe import Optimisation


def learning_rate(step: int, plan: Optimisation) -> float:
    """Linear warm-up, then a cosine to a tenth of the peak at the last step."""
    if step < plan.warmup:
        return plan.learning_rate * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(plan.steps - plan.warmup, 1)
    return plan.learning_rate * (0.55 + 0.45 * float(torch.cos(torch.tensor(torch.pi * done))))


def train(
    system: System,
    batch_at: Callable[[int], Mapping[str, Tensor]],
    plan: Optimisation,
    *,
    checkpoint: Path,
    device: torch.device,
    bf16: bool,
    every: int = 500,
) -> Iterator[dict[str, Any]]:
    """Train a system in place; afterwards it holds the averaged weights.

    Parameters
    ----------
    system : System
        Any system: its `loss` is the only part that differs between systems.
    batch_at : callable
        Batch of a step, physical ranges.
    plan : Optimisation
        Steps, rate, averaging, seed.
    checkpoint : Path
        File that is written every `every` steps, and resumed from where it exists.
    device : torch.device
        Where to train.
    bf16 : bool
        Whether to run the network under bf16 autocast.
    every : int
        Steps between checkpoints.

    Yields
    ------
    dict
        ``step`` (1-based), ``seconds`` since the start, and the loss terms as floats.
    """
    system.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    objectives = system.objectives()
    parameters = [p for followers in objectives.values() for p in followers]
    optimiser = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=1e-4, betas=(0.9, 0.99))
    average = [p.detach().clone() for p in parameters]
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        system.load_state_dict(state["system"])
        optimiser.load_state_dict(state["optimiser"])
        average, first = [a.to(device) for a in state["average"]], state["step"]
    start = time.monotonic()
    for step in range(first, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, plan)
        # A generator a step, not one for the run: a resumed run draws what an uninterrupted one draws.
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        batch = {
            key: value.to(device).contiguous(memory_format=torch.channels_last) for key, value in batch_at(step).items()
        }
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            terms = system.loss(batch, generator)
        optimiser.zero_grad(set_to_none=True)
        torch.stack([terms[name] for name in objectives]).sum().backward()
        for followers in objectives.values():
            torch.nn.utils.clip_grad_norm_(followers, 1.0)
        optimiser.step()
        # A young average follows fast: a fixed decay would carry the initial weights for thousands of steps.
        decay = min(plan.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 1.0 - decay)
        if (step + 1) % every == 0 or step + 1 == plan.steps:
            _save(checkpoint, system, optimiser, average, step + 1)
        yield {"step": step + 1, "seconds": time.monotonic() - start} | {k: float(v.detach()) for k, v in terms.items()}
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    system.eval()


def _save(path: Path, system: System, optimiser: torch.optim.Optimizer, average: list[Tensor], step: int) -> None:
    """Write a checkpoint beside the old one, then put it in its place: a kill leaves one of the two whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {"system": system.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step}
    torch.save(state, partial)
    partial.replace(path)
