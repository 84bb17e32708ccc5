"""The trainer: every system, on Lightning."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.tuner.tuning import Tuner

from diffuscope.devices import flushed_denormals, pick_precision
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.systems.base import System
from diffuscope.training.checkpoints import Cancelled, Keep, WholeCheckpoints, newest
from diffuscope.training.compiling import Compile, pays
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.events import TrainingEvent, TrainingStarted
from diffuscope.training.log import Log
from diffuscope.training.module import Training
from diffuscope.training.norms import Settle, batches_to_settle, settle_norms
from diffuscope.training.recipe import Optimisation, Rate

CHECKPOINTS = "checkpoints"
# Lines in log.csv, about.
_LINES = 200
# Batches that are made at once for a GPU, at most: more would wait for each other's Python.
_LANES = 8


@dataclass(frozen=True)
class Fitted:
    """A training that ended.

    Attributes
    ----------
    complete : bool
        False where it was cancelled.
    step : int
        Steps done.
    kept : int
        Step of the averaged weights that the system now has; 0 where it was cancelled before there were any to keep.
    first : bool
        Whether this process is the one that writes: with several GPUs each has a process.
    """

    complete: bool
    step: int
    kept: int
    first: bool


def fit(
    system: System,
    data: TrainingData,
    plan: Optimisation,
    *,
    folder: Path,
    device: torch.device,
    objective: str = "",
    train: Mapping[str, Rate] = MappingProxyType({}),
    resume: bool = False,
    report: Callable[[TrainingEvent], None] = lambda _event: None,
    cancelled: Callable[[], bool] = lambda: False,
    precision: str | None = None,
    devices: int | None = None,
    notices: tuple[str, ...] = (),
) -> Fitted:
    """Train a system in place; afterwards it holds the averaged weights that are kept, in evaluation mode.

    Parameters
    ----------
    system : System
        Any system, on the CPU.
    data : TrainingData
        Batches by number, and what validates.
    plan : Optimisation
        How long and how.
    folder : Path
        Run folder: ``checkpoints/``, ``log.csv``, ``validation/*.png`` and, where tensorboard is installed,
        ``tensorboard/``.
    device : torch.device
        Where to train.
    objective : str
        One of the system's; default its first.
    train : mapping of str to Rate
        Parts of the system that change, and how; default those of the objective, as the plan says.
    resume : bool
        Go on from the newest whole checkpoint; begin where there is none.
    report : callable, optional
        Takes the events up to the last validation.
    cancelled : callable, optional
        Looked at before every step; a checkpoint is written then.
    precision : {"fp32", "bf16"}, optional
        Default: what the device is made for.
    devices : int, optional
        How many GPUs (or, of a CPU, processes) share the work, each with batches of its own (DDP); default all
        GPUs there are. Each but the first is a process that runs this program's command line again.
    notices : tuple of str
        Handed on with the first event.

    Returns
    -------
    Fitted

    Raises
    ------
    InputError
        The system has no such objective or part; training diverges, no learning rate is found, or every checkpoint is
        damaged.
    """
    system.begin(objective, train)
    # Lightning leaves the mode as it finds it, and a round before left the system in evaluation mode.
    system.train()
    found = newest(folder / CHECKPOINTS) if resume else None
    cuda = device.type == "cuda"
    # On a CPU the network needs the cores.
    threads = min(_LANES, torch.get_num_threads()) if cuda else 1
    with torch.random.fork_rng(devices=[device] if cuda else []), flushed_denormals(), _quiet():
        precision = precision or pick_precision(device)
        options = _options(device, precision, devices, folder)
        peak = found[1]["peak"] if found else _peak(system, data, plan, options, threads, train)
        first = found[1]["global_step"] if found else 0
        module = Training(system, data, plan, peak=peak, first=first, threads=threads, train=train)
        keep = Keep(module, folder / CHECKPOINTS, every=plan.checkpoint_every, cancelled=cancelled)
        log = Log(module, folder, every=max(1, min(50, plan.steps // _LINES)), report=report, keep=keep)
        callbacks: list[pl.Callback] = [Settle(precision), log, keep]
        if plan.patience is not None:
            callbacks.append(
                EarlyStopping("validation loss", patience=plan.patience, verbose=False, check_on_train_epoch_end=False)
            )
        if pays(plan, done=first, device=device, devices=options["devices"]):
            callbacks.append(
                Compile(module, threads=torch.get_num_threads(), report=lambda sentence: report(Notice(sentence)))
            )
        trainer = pl.Trainer(
            **options,
            max_steps=plan.steps,
            val_check_interval=max(1, plan.steps // plan.validations),
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if data.validation else 0,
            callbacks=callbacks,
            logger=_tensorboard(folder, first),
        )
        report(TrainingStarted(folder=str(folder), steps=plan.steps, done=first, notices=(*notices, *data.notices)))
        if found and _state_of(found[1], keep).get("finished"):
            module.load_state_dict(found[1]["state_dict"])
            keep.load_state_dict(_state_of(found[1], keep))
            step = first
        else:
            with suppress(Cancelled), _interrupts():
                trainer.fit(module, ckpt_path=found[0] if found else None, weights_only=True)
            step = trainer.global_step
        if plan.keep == "best" and keep.best_step:
            system.load_state_dict(keep.best)
            kept = keep.best_step
        else:
            system.load_state_dict(module.average.state_dict())
            kept = step if keep.finished else 0
        if keep.finished:
            report(Progress(what="Finishing the weights"))
            batches = batches_to_settle(plan.steps)
            settle_norms(
                system, data, seed=plan.seed, device=device, precision=precision, threads=threads, batches=batches
            )
    system.cpu().eval()
    return Fitted(complete=keep.finished, step=step, kept=kept, first=trainer.is_global_zero)


def _options(device: torch.device, precision: str, devices: int | None, folder: Path) -> dict[str, Any]:
    """Return what every `pl.Trainer` here is made with."""
    cuda = device.type == "cuda"
    number = devices or (torch.cuda.device_count() if cuda else 1)
    return {
        "accelerator": "gpu" if cuda else device.type,
        "devices": number,
        # A batch of one of several stains leaves the other stains' branches without a gradient.
        "strategy": "ddp_find_unused_parameters_true" if number > 1 else "auto",
        "precision": "bf16-mixed" if precision == "bf16" else "32-true",
        "plugins": [WholeCheckpoints()],
        "default_root_dir": folder,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }


def _peak(
    system: System,
    data: TrainingData,
    plan: Optimisation,
    options: dict[str, Any],
    threads: int,
    train: Mapping[str, Rate],
) -> float:
    """Return the plan's learning rate, or find one: where the loss falls fastest as the rate rises (Smith 2017)."""
    if plan.learning_rate != "find":
        return plan.learning_rate
    steps = min(100, max(plan.steps // 10, 20))
    trial = plan.model_copy(update={"steps": steps, "warmup": 0})
    module = Training(deepcopy(system), data, trial, peak=1.0, threads=threads, train=train)
    trainer = pl.Trainer(**options | {"devices": 1, "strategy": "auto"}, logger=False)
    finder = Tuner(trainer).lr_find(module, num_training=steps, min_lr=1e-6, max_lr=1e-1, attr_name="peak")
    found = finder.suggestion() if finder is not None else None
    if found is None:
        raise InputError("no learning rate could be found by trying: give optimisation.learning_rate a number.")
    return float(found)


def _tensorboard(folder: Path, first: int) -> TensorBoardLogger | bool:
    """Return the TensorBoard log where it is installed; what a killed run wrote behind the resumed step is purged."""
    if find_spec("tensorboard") is None:
        return False
    return TensorBoardLogger(folder, name="tensorboard", version="", purge_step=first + 1 if first else None)


def _state_of(checkpoint: dict[str, Any], keep: Keep) -> dict[str, Any]:
    return checkpoint["callbacks"][keep.state_key]


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: Lightning would make it the end of the program, and deaf to the next one."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out Lightning's remarks on how it would have set things up: this program's user has no say in that.

    And what TensorBoard's thread says of a disk that is full: it raises that again where the log is written.
    """
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    before = threading.excepthook

    def other(said: threading.ExceptHookArgs) -> None:
        if not type(said.thread).__module__.startswith("tensorboard."):
            before(said)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        threading.excepthook = other
        try:
            yield
        finally:
            threading.excepthook = before
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
