"""`diffuscope train`: its options, how far it is, and what came out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from diffuscope.cli.progress import EVERY

if TYPE_CHECKING:
    from diffuscope.training.events import StepDone, TrainingEvent, TrainingFinished

CANCELLED = 130


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="What to train on and how, a YAML file.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="MODEL", help="Model folder to write.")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What paths in RECIPE are relative to. [default: where RECIPE lies]"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[int | None, typer.Option(metavar="N", help="GPUs to share the work. [default: all]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. [default: all cores]")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model in the way; begin an unfinished training again.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished training; begin it where there is none.")
    ] = False,
) -> None:
    """Train a model, or fine-tune one, on your own cases.

    Checkpoints, a log and pictures of validation go to MODEL.training. Ctrl-C ends after the current step and keeps the
    best weights so far; the same line with --resume goes on from there, also after a crash.
    """
    from diffuscope.api.train import train as training
    from diffuscope.cli.interrupt import set_on_interrupt

    cancelled = threading.Event()
    events = training(
        recipe,
        out,
        data=data,
        device=device,
        devices=devices,
        threads=threads,
        overwrite=overwrite,
        resume=resume,
        cancelled=cancelled.is_set,
    )
    with set_on_interrupt(cancelled):
        end = follow(events)
    # With several GPUs the process of the first one tells.
    if end is None:
        return
    for name, value in end.figures.items():
        typer.echo(f"{name:40}  {value:.4g}")
    if end.out:
        typer.echo(f"\nWrote {end.out} (averaged weights of step {end.kept})")
    if not end.complete:
        where = f", {end.where}" if end.where else ""
        typer.echo(f"Cancelled at step {end.step} of {end.steps}{where}; --resume goes on.", err=True)
        raise typer.Exit(CANCELLED)


def follow(events: Generator[TrainingEvent, None, None]) -> TrainingFinished | None:
    """Show a training until it ends: a line every ten seconds and one a validation, on standard error.

    Parameters
    ----------
    events : generator of TrainingEvent
        From `diffuscope.api.train.train`.

    Returns
    -------
    TrainingFinished or None
        Its last event; None in a process that serves a further GPU.
    """
    from diffuscope.engine.events import Notice
    from diffuscope.training.events import StepDone, TrainingFinished, TrainingStarted, Validated

    last, done = monotonic(), 0
    with closing(events):
        for event in events:
            match event:
                case TrainingStarted():
                    done = event.done
                    what = f"Training, {event.where}" if event.where else "Training"
                    _say(f"{what}, {event.steps} steps" + (f", {done} of them done before" if done else ""))
                    for notice in event.notices:
                        _say(notice)
                case Notice():
                    _say(event.sentence)
                case StepDone():
                    if monotonic() - last >= EVERY:
                        last = monotonic()
                        _say(line(event, done))
                case Validated():
                    mark = ", the best so far" if event.best else ""
                    _say(f"step {event.step}: validation loss {event.terms['loss']:.4g}{mark}; {event.picture}")
                case TrainingFinished():
                    return event
    return None


def line(event: StepDone, before: int) -> str:
    """Return how far a training is, e.g. ``"step 40 of 400, loss 0.0312, 1.2 steps/s, 0:05:00 left"``.

    Parameters
    ----------
    event : StepDone
        Where it stands.
    before : int
        Steps that were done before this process.
    """
    pace = (event.step - before) / event.seconds if event.seconds > 0 else 0.0
    left = f", {timedelta(seconds=round((event.steps - event.step) / pace))} left" if pace else ""
    waits = f", {event.waited / event.seconds:.0%} of the time spent waiting for data" if event.seconds > 0 else ""
    where = f"{event.where}, " if event.where else ""
    return f"{where}step {event.step} of {event.steps}, loss {event.terms['loss']:.4g}, {pace:.2g} steps/s{left}{waits}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
