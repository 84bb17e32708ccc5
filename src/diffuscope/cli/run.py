"""`diffuscope run`: its options, how far it is, and what came out."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffuscope.cli.exits import BAD_INPUT, CANCELLED
from diffuscope.errors import InputError

if TYPE_CHECKING:
    from diffuscope.engine.events import Event


def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model (see: diffuscope models), or a model folder.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="INPUT",
            help="The slide or volume; FILE#CHANNEL is one channel. Or say --input. Several at once: a folder of them, "
            "a pattern in quotes, a table (.csv) of name, file or the model's inputs, and region, a .qpproj, or "
            "qupath: for what is selected in the QuPath that runs.",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Result folder to write, e.g. out.ome.zarr; of several their folder.",
        ),
    ] = ...,  # type: ignore[assignment]
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="KEY=FILE#CHANNEL",
            help="A file for one of the model's inputs, once for each of them; for a table FILE.csv#ROW or "
            "NAME=VALUE,NAME=VALUE, for a text itself or @FILE.txt; for outlines, one file or more, "
            "FILE#NAME=ROLE,NAME=ROLE.",
        ),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="KEY=LOW:HIGH",
            help="Values that are the ends of an input's range. [default: percentiles of the whole slide or volume]",
        ),
    ] = None,
    normalise: Annotated[
        bool,
        typer.Option(
            "--normalise/--no-normalise",
            help="Bring the stains of an H&E to one reference, by the whole slide, for models that are made for it.",
        ),
    ] = True,
    stains_of: Annotated[
        list[Path] | None,
        typer.Option(
            "--stains-of",
            metavar="FILE",
            help="The slide that a small picture of H&E was cut from, or a folder of such cuts: by its stains it is "
            "normalised. May be repeated.",
        ),
    ] = None,
    slices: Annotated[
        str | None, typer.Option(metavar="FIRST:END", help="Only these slices of a volume, counted from the feet.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help='Only this rectangle, or polygon "x,y x,y x,y", in pixels of the finest level; or an annotation from '
            "QuPath, FILE.geojson#NAME (or its class); of several, each said by --region, a result each in the folder "
            "-o. [default: all tissue]",
        ),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of the slide, where it does not say or is wrong.")
    ] = None,
    assumed_mpp: Annotated[
        float | None, typer.Option(help="Of many slides: µm per pixel of those that do not say it.")
    ] = None,
    quality: Annotated[
        str | None, typer.Option(help="One of the model's, see diffuscope models NAME. [default: its first]")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help="sde-dpmsolver++, dpmsolver++, unipc, ddim or ddpm. [default: the quality's]")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. [default: the quality's or sampler's]")] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Samples a tile; from 2 on, uncertainty is their standard deviation. [default: 1]"),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="A number of the model's own, e.g. gamma=0.4; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    batch: Annotated[
        int | None, typer.Option(help="Tiles at once. [default: 1 on a CPU; on a GPU what keeps it busy]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16. [default: what the device is made for]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads a batch. [default: cores shared out]")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Compute in N processes on this machine.")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://…", help="Compute on a dask cluster that sees model and slide under these paths."),
    ] = None,
    devices: Annotated[
        str | None, typer.Option(metavar="N|all", help="GPUs of this machine that compute side by side. [default: one]")
    ] = None,
    compile: Annotated[  # noqa: A002  the word of the option
        str,
        typer.Option(metavar="auto|on|off", help="Compile the network; auto: on a GPU, for long runs."),
    ] = "auto",
    want: Annotated[
        str | None,
        typer.Option(metavar="KEY,KEY", help="Only these of the model's outputs. [default: all that is not given]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a Diffuscope result in the way.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished result; begin it where there is none.")
    ] = False,
) -> None:
    """Run a model over a slide or a volume, or over several, each into a result of its own.

    Ctrl-C ends the run after the current step; what is done is kept and marked incomplete. The same line
    with --resume goes on from there, also after a crash.
    """
    from diffuscope.api.run import run as begun
    from diffuscope.api.run_many import run_many
    from diffuscope.cases.slides import are_many, of_regions
    from diffuscope.cli.describe import table
    from diffuscope.jobs.input_text import parse_inputs, parse_ranges
    from diffuscope.jobs.provenance import NOT_FOR_DIAGNOSIS
    from diffuscope.results.result import open_result

    # What is wanted alone may do: of a model that needs nothing it is all there is to say.
    if (source is not None and inputs) or (source is None and not inputs and want is None):
        raise InputError("give one INPUT, or say --input KEY=FILE for each of the model's inputs.")
    several = len(region or ()) > 1
    if several and (source is None or are_many(source)):
        raise InputError("several --region are of one slide: give it as INPUT, or say the regions in a table.")
    cancelled = threading.Event()
    how: Any = {
        "region": region[0] if region and not several else None,
        "slices": slices,
        "ranges": parse_ranges(ranges or ()),
        "normalise": normalise,
        "stains_of": tuple(stains_of or ()),
        "mpp": mpp,
        "quality": quality,
        "sampler": sampler,
        "steps": steps,
        "samples": samples,
        "options": _options(option or []),
        "seed": seed,
        "device": device,
        "batch": batch,
        "precision": precision,
        "threads": threads,
        "workers": workers,
        "scheduler": scheduler,
        "devices": devices,
        "compile": compile,
        "want": _wanted(want),
        "overwrite": overwrite,
        "resume": resume,
        "cancelled": cancelled.is_set,
    }
    if source is not None and (several or are_many(source)):
        slides = of_regions(source, region or ()) if several else source
        _follow_many(run_many(model, slides, out, assumed_mpp=assumed_mpp, **how), cancelled)
        return
    if assumed_mpp is not None:
        raise InputError("--assumed-mpp is for many slides: say --mpp of one.")
    events = begun(model, source if source is not None else parse_inputs(inputs or ()), out, **how)
    follow_run(events, cancelled)
    for line in table(open_result(out)):
        typer.echo(line)
    typer.echo(f"\nWrote {out}\n{NOT_FOR_DIAGNOSIS}")


def _wanted(text: str | None) -> tuple[str, ...]:
    """Read KEY,KEY."""
    keys = tuple(key.strip() for key in (text or "").split(",") if key.strip())
    if text is not None and not keys:
        raise InputError("--want names nothing: say which outputs, or leave it out for all.")
    return keys


def _options(texts: list[str]) -> dict[str, float]:
    """Read NAME=NUMBER."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise InputError(f"{text} is no option: give NAME=NUMBER.") from None
    return found


def follow_run(events: Generator[Event, None, None], cancelled: threading.Event) -> None:
    """Show a run to its end; leave with 130 where Ctrl-C ended it early."""
    from diffuscope.cli.interrupt import set_on_interrupt
    from diffuscope.cli.progress import follow

    with set_on_interrupt(cancelled):
        end = follow(events)
    if not end.begun:
        why = f"{end.unread} tiles could not be read" if end.unread else "Cancelled"
        typer.echo(f"{why} before a tile was finished: {end.out} is as it was.", err=True)
        raise typer.Exit(BAD_INPUT if end.unread else CANCELLED)
    if end.unread:
        typer.echo(
            f"Error: {end.unread} of {end.tiles} tiles could not be read; {end.done} are kept in {end.out}, marked "
            "incomplete; --resume tries the others again.",
            err=True,
        )
        raise typer.Exit(BAD_INPUT)
    if not end.complete:
        typer.echo(
            f"Cancelled: {end.done} of {end.tiles} tiles are kept in {end.out}, marked incomplete; --resume goes on.",
            err=True,
        )
        raise typer.Exit(CANCELLED)


def _follow_many(events: Generator[Any, None, None], cancelled: threading.Event) -> None:
    """Show a run over many slides to its end; leave with 130 where Ctrl-C ended it, with 2 where none is done."""
    from diffuscope.cli.interrupt import set_on_interrupt
    from diffuscope.cli.progress import follow
    from diffuscope.exports.summary.folder import PAGE, TABLE
    from diffuscope.jobs.provenance import NOT_FOR_DIAGNOSIS

    with set_on_interrupt(cancelled):
        end = follow(events)
    if not end.complete:
        typer.echo(f"Cancelled: {end.done} of {end.slides} are done in {end.path}; --resume goes on.", err=True)
        raise typer.Exit(CANCELLED)
    told = f"{end.done} of {end.slides} done" + (f", {end.failed} failed" if end.failed else "")
    typer.echo(f"Wrote {end.path / TABLE} ({told})\nWrote {end.path / PAGE}\n{NOT_FOR_DIAGNOSIS}")
    if not end.done:
        raise typer.Exit(BAD_INPUT)
