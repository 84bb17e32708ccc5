"""What training reports while it runs: a table, TensorBoard, events."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from diffuscope.files.durable import replacing
from diffuscope.systems.base import Tiled
from diffuscope.training.checkpoints import Keep
from diffuscope.training.events import StepDone, TrainingEvent, Validated, Validating
from diffuscope.training.module import Training
from diffuscope.training.pictures import draw

TABLE = "log.csv"
# Seconds between two StepDone.
_PACE = 0.5


class Log(Callback):
    """Writes log.csv, hands means to TensorBoard, reports events, draws the validation pictures.

    The table has a line every `every` steps with the means since the line before, and one a validation. A resumed
    training goes on with the table as it was at the step that is resumed from.

    Parameters
    ----------
    module : Training
        What is trained.
    folder : Path
        Run folder.
    every : int
        Steps between two lines.
    report : callable
        Takes the events.
    keep : Keep
        Knows the best validation so far.
    """

    def __init__(
        self, module: Training, folder: Path, *, every: int, report: Callable[[TrainingEvent], None], keep: Keep
    ) -> None:
        self._module, self._folder, self._every, self._report, self._keep = module, folder, every, report, keep
        self._sums: dict[str, Tensor | float] = {}
        self._count = 0
        self._start = self._reported = self._ready = monotonic()
        self._begun, self._waited = False, 0.0

    def on_train_start(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Cut the table off behind the step that is resumed from."""
        if trainer.is_global_zero:
            _cut(self._folder / TABLE, trainer.global_step)

    def on_train_batch_start(self, _trainer: pl.Trainer, _module: pl.LightningModule, _batch: Any, _index: int) -> None:
        """A batch is there, for which was waited since the last step; the first one starts the clock."""
        now = monotonic()
        if not self._begun:
            self._begun, self._start, self._ready = True, now, now
        self._waited += now - self._ready

    def on_train_batch_end(
        self, trainer: pl.Trainer, _module: pl.LightningModule, _outputs: Any, _batch: Any, _index: int
    ) -> None:
        """Add up the loss, and report it where it is time to."""
        step, now = trainer.global_step, monotonic()
        # Added up where they are: to read one is to wait until a GPU has done the step.
        self._sums = {key: self._sums.get(key, 0.0) + value for key, value in self._module.terms.items()}
        self._count += 1
        if trainer.is_global_zero and step % self._every == 0:
            self._module.require_finite()
            means = {key: float(value) / self._count for key, value in self._sums.items()}
            self._write(trainer, "training", means)
            self._sums, self._count = {}, 0
        if now - self._reported >= _PACE or step == self._module.plan.steps:
            self._reported = now
            self._report(
                StepDone(
                    step=step,
                    steps=self._module.plan.steps,
                    terms={key: float(value) for key, value in self._module.terms.items()},
                    learning_rate=self._module.rate(step - 1),
                    seconds=now - self._start,
                    waited=self._waited,
                )
            )
        self._ready = monotonic()

    def on_validation_start(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Tell that no steps are done for a while."""
        if trainer.is_global_zero:
            self._report(Validating(step=trainer.global_step, steps=self._module.plan.steps))

    def on_validation_end(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Tell how the validation went, with a picture."""
        if trainer.is_global_zero:
            terms, step = self._module.validation_terms(), trainer.global_step
            self._write(trainer, "validation", terms)
            picture, system = self._folder / "validation" / f"step-{step:08d}.png", self._module.average
            if is_drawn := isinstance(system, Tiled):
                with trainer.precision_plugin.forward_context():
                    draw(system, self._module.data.validation[0], picture, device=self._module.device)
            self._report(
                Validated(
                    step=step,
                    steps=self._module.plan.steps,
                    terms=terms,
                    best=terms["loss"] < self._keep.best_loss,
                    picture=str(picture) if is_drawn else "",
                )
            )
        self._ready = monotonic()

    def _write(self, trainer: pl.Trainer, part: str, terms: Mapping[str, float]) -> None:
        path, step = self._folder / TABLE, trainer.global_step
        new = not path.exists()
        values = {"step": step, "part": part, "learning rate": f"{self._module.rate(step - 1):.6g}"}
        with path.open("a", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            if new:
                table.writerow([*values, *terms])
            table.writerow([*values.values(), *(f"{value:.6g}" for value in terms.values())])
        for logger in trainer.loggers:
            logger.log_metrics({f"{key}/{part}": value for key, value in terms.items()}, step=step)

    def state_dict(self) -> dict[str, Any]:
        """As in Lightning's `Callback`: the means of the line that is not yet written."""
        return {"sums": {key: float(value) for key, value in self._sums.items()}, "count": self._count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in Lightning's `Callback`."""
        self._sums, self._count = state_dict["sums"], state_dict["count"]


def _cut(path: Path, step: int) -> None:
    """Leave the lines of a table up to a step; a line that a kill cut short goes as well."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        head, *lines = [*csv.reader(file)] or [[]]
    kept = [line for line in lines if len(line) == len(head) and int(line[0]) <= step]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([head, *kept] if head else [])
    with replacing(path) as opened:
        opened.write(text.getvalue().encode())
