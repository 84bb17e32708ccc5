"""`diffuscope train`: its options, how far it is, and what came out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

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
    from diffuscope.cli.progress import follow

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
        when = f"at step {end.step} of {end.steps}{where}" if end.step else "before the first step"
        typer.echo(f"Cancelled {when}; --resume goes on.", err=True)
        raise typer.Exit(CANCELLED)
