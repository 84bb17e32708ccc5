"""Checkpoints: whole or not there, read without running code, and one moment at which they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.files.durable import names_to_disk, replacing
from diffuscope.training.module import Training, weights_of

# The one before the newest stays: a disk may fail in the middle of a file that was whole.
_KEPT = 2


class Cancelled(Exception):  # noqa: N818  not an error
    """Training was asked to stop; the checkpoint is written."""


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the place and then in it: a kill leaves the old state, the new one, or both."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """As in Lightning's `CheckpointIO`."""
        del storage_options
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                # torch tells where in the file it was, and not what the disk said.
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise
        names_to_disk(path.parent)


def newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest checkpoint that is whole and what it holds, or None where there is none.

    Raises
    ------
    InputError
        There are checkpoints, and each is damaged.
    """
    there = sorted(folder.glob("step-*.ckpt"), reverse=True)
    for path in there:
        try:
            return path, torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001, S112  torch names no errors for a damaged file: zip, pickle, EOF, runtime
            continue
    if there:
        raise InputError(f"every checkpoint in {folder} is damaged: begin again with --overwrite.")
    return None


class Keep(Checkpoint):
    """Writes checkpoints, remembers the best weights, and stops when asked.

    A checkpoint is written before a step, when all that belongs to the step before it is over, validation as well;
    so an early stopping that is resumed has seen what one that was never interrupted has.

    Parameters
    ----------
    module : Training
        What is trained.
    folder : Path
        Where checkpoints go.
    every : int
        Steps between two.
    cancelled : callable
        Looked at before every step.

    Attributes
    ----------
    best_loss, best_step : float, int
        The lowest validation loss so far and when; step 0 is none.
    best : dict of str to Tensor
        The averaged weights then.
    finished : bool
        Whether training came to its end.
    """

    def __init__(self, module: Training, folder: Path, *, every: int, cancelled: Callable[[], bool]) -> None:
        self._module, self._folder, self._every, self._cancelled = module, folder, every, cancelled
        self.best_loss, self.best_step, self.finished = float("inf"), 0, False
        self.best: dict[str, Tensor] = {}

    def on_train_batch_start(self, trainer: pl.Trainer, _module: pl.LightningModule, _batch: Any, _index: int) -> None:
        """Stop, or write a checkpoint, where it is time to."""
        # Processes must agree, or one would wait for the others' gradients for ever.
        stop = trainer.strategy.reduce_boolean_decision(self._cancelled(), all=False)
        step = trainer.global_step
        if stop or (step % self._every == 0 and step > self._module.first):
            self._save(trainer)
        if stop:
            raise Cancelled

    def on_validation_end(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Remember the weights if they are the best so far."""
        loss = self._module.validation_terms()["loss"]
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, trainer.global_step
            self.best = dict(weights_of(self._module.average))

    def on_train_end(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Write the last checkpoint."""
        self.finished = True
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        self._module.require_finite()
        trainer.save_checkpoint(self._folder / f"step-{trainer.global_step:08d}.ckpt")
        if trainer.is_global_zero:
            for old in sorted(self._folder.glob("step-*.ckpt"))[:-_KEPT]:
                old.unlink()

    def state_dict(self) -> dict[str, Any]:
        """As in Lightning's `Callback`."""
        return {
            "best_loss": self.best_loss, "best_step": self.best_step, "best": self.best, "finished": self.finished
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in Lightning's `Callback`."""
        for key, value in state_dict.items():
            setattr(self, key, value)
