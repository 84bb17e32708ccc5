"""Any `System` as Lightning sees it: a step of training and of validation, the optimiser, the averaged weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from diffuscope.errors import InputError
from diffuscope.systems.base import System
from diffuscope.training.data.batches import Ahead, Batch, TrainingData, laid_out
from diffuscope.training.recipe import Optimisation, Rate

# Draws of t and ε for each validation example: one alone tells more of its t than of the weights.
_DRAWS = 4


def learning_rate(step: int, plan: Optimisation, peak: float) -> float:
    """Linear warm-up to the peak, then a cosine to a tenth of it at the last step."""
    if step < plan.warmup:
        return peak * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(plan.steps - plan.warmup, 1)
    return peak * (0.55 + 0.45 * float(torch.cos(torch.tensor(torch.pi * done))))


class Training(pl.LightningModule):
    """A system in training.

    Batch, noise and all other randomness of a step are functions of (seed, step) on one kind of device, which draws
    it itself; with N processes, process r at a step has batch number step · N + r.

    Parameters
    ----------
    system : System
        Any system: its `loss` is the only part that differs between systems. Trained in place.
    data : TrainingData
        What it is trained on.
    plan : Optimisation
        Steps, averaging, seed.
    peak : float
        Peak of the learning rate.
    first : int
        Steps done before.
    threads : int
        Batches that are made at once.
    train : mapping of str to Rate, optional
        How the parts that train do, by name, where they differ from the plan.

    Attributes
    ----------
    average : System
        The system with the averaged weights, which are the ones that ship.
    terms : dict of str to Tensor
        The last step's loss and its terms.
    """

    def __init__(
        self,
        system: System,
        data: TrainingData,
        plan: Optimisation,
        *,
        peak: float,
        first: int = 0,
        threads: int = 1,
        train: Mapping[str, Rate] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.system = system
        self.average = deepcopy(system).requires_grad_(requires_grad=False)
        self.data, self.plan, self.peak, self.first, self.threads = data, plan, peak, first, threads
        self._rates = train
        self.terms: dict[str, Tensor] = {}
        players = {term: [p for p in own if p.requires_grad] for term, own in system.players().items()}
        # A player that stands still adds no term: nothing would follow it.
        self._players = {term: own for term, own in players.items() if own}
        self._followed: tuple[list[Tensor], list[Tensor]] = [], []
        self._copied: tuple[list[Tensor], list[Tensor]] = [], []
        for one in (*self.parameters(), *self.buffers()):  # of 3D convolutions there are none in this order
            if one.ndim == 4:
                one.data = one.data.to(memory_format=torch.channels_last)

    def train_dataloader(self) -> Ahead:
        """Batches of this process from the first step on."""
        world, rank, steps = self.trainer.world_size, self.trainer.global_rank, self.plan.steps
        numbers = range(self.first * world + rank, steps * world, world)
        pin = self.device.type == "cuda"
        return Ahead(self.data.batch_at, numbers, length=steps, threads=self.threads, pin=pin)

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """All validation batches in every process: they are few, and each process then knows the same loss."""
        batches = [{key: laid_out(value) for key, value in batch.items()} for batch in self.data.validation]
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]

    def on_train_start(self) -> None:
        """List what the average follows, once and where it is now: to walk all modules takes longer than to follow."""
        both = list(zip(self.average.parameters(), self.system.parameters(), strict=True))
        self._followed = (
            [mean for mean, now in both if now.requires_grad],
            [now for _, now in both if now.requires_grad],
        )
        self._copied = list(self.average.buffers()), list(self.system.buffers())

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Loss of one batch."""
        return self.loss_of(batch, self.trainer.global_step * self.trainer.world_size + self.trainer.global_rank)

    def loss_of(self, batch: Batch, number: int) -> Tensor:
        """Return the sum of all players' terms of the batch of a number, on this module's device."""
        generator = seeded(self.plan.seed * 1_000_003 + number, self.device)
        terms = self.system.loss(self.data.finished(batch, generator), generator)
        self.terms = {key: value.detach() for key, value in terms.items()}
        return torch.stack([terms[name] for name in self._players]).sum()

    def configure_gradient_clipping(self, *_given: object, **_named: object) -> None:
        """Clip the gradient of each player by its own norm, to 1."""
        for followers in self._players.values():
            torch.nn.utils.clip_grad_norm_(followers, 1.0)

    @torch.no_grad()
    def on_train_batch_end(self, _outputs: Any, _batch: Any, _index: int) -> None:
        """Follow the weights with their average."""
        step = self.trainer.global_step - 1
        # A young average follows fast: a fixed decay would carry the initial weights for thousands of steps.
        decay = min(self.plan.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(*self._followed, 1.0 - decay)
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the loss of the averaged weights on one batch, the same draws at every validation."""
        seed = self.plan.seed * 1_000_003 + index
        generator = seeded(seed, self.device)
        draws = [self.average.loss(batch, generator) for _ in range(_DRAWS)]
        size = len(next(iter(batch.values())))
        for key in draws[0]:
            value = torch.stack([draw[key].float() for draw in draws]).mean()
            self.log(f"validation {key}", value, batch_size=size, logger=False)

    def validation_terms(self) -> dict[str, float]:
        """Return the loss and its terms of the validation that has just ended."""
        named = self.trainer.callback_metrics.items()
        return {key.removeprefix("validation "): float(v) for key, v in named if key.startswith("validation ")}

    def require_finite(self) -> None:
        """Refuse to go on, or to keep, what has diverged.

        Raises
        ------
        InputError
            The last step's loss is not finite.
        """
        if self.terms and not torch.isfinite(self.terms["loss"]):
            raise InputError(
                f"training diverged: the loss is {float(self.terms['loss'])} at step {self.trainer.global_step}; "
                "lower optimisation.learning_rate."
            )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser over all that trains; the scheduler multiplies a rate of 1, so that the product is exact."""
        parts = {id(one): name for name, own in self.system.parts().items() for m in own for one in m.parameters()}
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for parameter in (p for own in self._players.values() for p in own):
            groups.setdefault(self._rate_of(parts[id(parameter)]), []).append(parameter)
        # Fused it is one kernel instead of a dozen; on a CPU its bits would be others than those of shipped weights.
        fused = True if self.device.type == "cuda" else None
        kind = torch.optim.AdamW if self.plan.optimiser == "adamw" else torch.optim.Adam
        options = [{"params": own, "weight_decay": decay} for (_, decay), own in groups.items()]
        optimiser = kind(options, lr=1.0, betas=(0.9, 0.99), fused=fused)
        rates: list[Callable[[int], float]] = [partial(learning_rate, plan=self.plan, peak=peak) for peak, _ in groups]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, rates)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def rate(self, step: int) -> float:
        """Learning rate of a step, 0-based; where parts have rates of their own, the first one's."""
        peak, _ = self._rate_of(next(iter(self._rates), ""))
        return learning_rate(step, self.plan, peak)

    def _rate_of(self, part: str) -> tuple[float, float]:
        """Peak of the learning rate, and weight decay."""
        own = self._rates.get(part, Rate())
        peak = self.peak if own.learning_rate is None else own.learning_rate
        return peak, self.plan.weight_decay if own.weight_decay is None else own.weight_decay

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the peak: it may have been found by trying."""
        checkpoint["peak"] = self.peak


def seeded(seed: int, device: torch.device) -> torch.Generator:
    """Return a generator on a device, and seed what a system draws by itself, such as dropout.

    As `torch.manual_seed`, which takes longer than a small network's step where another kind of device is not in use.
    Of what 64 bits do not hold, as the product of a long seed of a recipe, the lowest count.
    """
    seed %= 2**64
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
    return torch.Generator(device).manual_seed(seed)


def weights_of(system: System) -> Mapping[str, Tensor]:
    """Return a copy of a system's weights on the CPU."""
    return {key: value.detach().cpu().clone() for key, value in system.state_dict().items()}
