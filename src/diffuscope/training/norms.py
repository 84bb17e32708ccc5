"""Batch norms of averaged weights: their statistics are those of other weights, until they are taken anew."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from diffuscope.systems.base import System
from diffuscope.training.data.batches import Ahead, TrainingData
from diffuscope.training.module import Training, seeded

#: Batches that statistics are taken from: those of the weights that are kept, at most, and those of a validation.
BATCHES, BATCHES_TO_VALIDATE = 150, 8
# Another stream than those of training and of validation.
_SEED = 7_000_003


class Settle(pl.Callback):
    """Settles the averaged weights' norms before each validation: what it compares, and keeps, are those weights.

    Parameters
    ----------
    precision : {"fp32", "bf16"}
        Of training.
    """

    def __init__(self, precision: str) -> None:
        self._precision = precision

    def on_validation_start(self, _trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take statistics of the weights that will be validated."""
        assert isinstance(module, Training)
        settle_norms(
            module.average,
            module.data,
            seed=module.plan.seed,
            device=module.device,
            precision=self._precision,
            threads=module.threads,
            batches=batches_to_settle(module.plan.steps, BATCHES_TO_VALIDATE),
        )


def batches_to_settle(steps: int, at_most: int = BATCHES) -> int:
    """Return how many batches the norms of a training's weights are settled by: no more than it has steps, but two.

    A trial of a few steps would take most of its time for this.
    """
    return min(max(steps, 2), at_most)


@torch.no_grad()
def settle_norms(
    system: System,
    data: TrainingData,
    *,
    seed: int,
    device: torch.device,
    precision: str,
    threads: int = 1,
    batches: int,
) -> None:
    """Give batch norms the statistics that the system's present weights make (Izmailov et al. 2018, §3.2).

    What training leaves are those of the last few batches under weights that were not averaged yet: an accident, which
    cost the shipped DAMM-Diffusion 0.2 dB on data of the kind that it was trained on, and won as much on another kind
    (docs/damm.md). Norms that a stage of training leaves alone stay as they are, and a system without batch norms
    is not touched.

    Parameters
    ----------
    system : System
        With its final weights. Left in evaluation mode.
    data : TrainingData
        Its first batches are read.
    seed : int
        Of t, ε and all that `System.loss` draws.
    device : torch.device
        Where to compute.
    precision : {"fp32", "bf16"}
        Of training.
    threads : int
        Batches that are made at once.
    batches : int
        How many batches are averaged.
    """
    system.to(device).train()
    norms = [module for module in system.modules() if isinstance(module, _BatchNorm) and module.training]
    # What a system counts or draws in training mode is not wanted, only the norms' bookkeeping.
    system.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        # The plain mean over batches.
        norm.momentum = None
    numbers = range(batches if norms else 0)
    ahead = Ahead(data.batch_at, numbers, length=len(numbers), threads=threads)
    for number, made in zip(numbers, ahead, strict=True):
        generator = seeded(seed * 1_000_003 + _SEED + number, device)
        batch = data.finished({key: value.to(device) for key, value in made.items()}, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            system.loss(batch, generator)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    system.eval()
