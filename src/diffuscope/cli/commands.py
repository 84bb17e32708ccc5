"""Commands and their options. What they need is imported inside, so that --help answers at once."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import diffuscope
from diffuscope.cli.data import data
from diffuscope.cli.evaluate import evaluate
from diffuscope.cli.make import make
from diffuscope.cli.measure import measure
from diffuscope.cli.models import models
from diffuscope.cli.register import register
from diffuscope.cli.train import train
from diffuscope.errors import DiffuscopeError, InputError
from diffuscope.exports.table import endings

if TYPE_CHECKING:
    from diffuscope.engine.events import Event

BAD_INPUT = 2
CANCELLED = 130


class _Sentences(TyperGroup):
    """Tells what a user is meant to read as one sentence, without a traceback."""

    def invoke(self, ctx: Any) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except DiffuscopeError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            typer.echo("Cancelled.", err=True)
            raise typer.Exit(CANCELLED) from None


app = typer.Typer(
    cls=_Sentences,
    help="Diffusion models for slides and scans. For research; nothing here is for diagnosis.",
    epilog="A first look: diffuscope demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"diffuscope {diffuscope.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write.")] = Path(
        "diffuscope-demo"
    ),
    *,
    view: Annotated[
        bool | None,
        typer.Option("--view/--no-view", help="Open napari with the result; default: where there is a screen."),
    ] = None,
) -> None:
    """Stain a region of the shipped slide with the shipped model."""
    from diffuscope.cli import demo as show

    events = show.start(out, cancelled := threading.Event())
    _follow(events, cancelled)
    for line in show.finish(out):
        typer.echo(line)
    show.open_napari(out, asked=view)


@app.command()
def info(path: Annotated[Path, typer.Argument(metavar="PATH", help="A slide, a volume, or a result folder.")]) -> None:
    """Tell what a slide, a volume or a result is."""
    from diffuscope.api.open import open as opened
    from diffuscope.cli.describe import describe

    for line in describe(opened(path)):
        typer.echo(line)


@app.command()
def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model (see: diffuscope models), or a model folder.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="INPUT", help="The slide or volume; FILE#CHANNEL is one channel. Or say --input."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Result folder to write, e.g. out.ome.zarr.")
    ] = ...,  # type: ignore[assignment]
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="KEY=FILE#CHANNEL",
            help="A file for one of the model's inputs, once for each of them; for a table FILE.csv#ROW or "
            "NAME=VALUE,NAME=VALUE, for a text itself.",
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
    slices: Annotated[
        str | None, typer.Option(metavar="FIRST:END", help="Only these slices of a volume, counted from the feet.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H", help="Only this rectangle, in pixels of the finest level. [default: all tissue]"
        ),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of the slide, where it does not say or is wrong.")
    ] = None,
    quality: Annotated[str | None, typer.Option(help="fast or reference. [default: the model's first]")] = None,
    sampler: Annotated[
        str | None, typer.Option(help="sde-dpmsolver++, dpmsolver++, unipc, ddim or ddpm. [default: the quality's]")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. [default: the quality's]")] = None,
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
        str | None, typer.Option(metavar="KEY,KEY", help="Only these of the model's outputs. [default: all]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a Diffuscope result in the way.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished result; begin it where there is none.")
    ] = False,
) -> None:
    """Run a model over a slide or a volume.

    Ctrl-C ends the run after the current step; what is done is kept and marked incomplete. The same line
    with --resume goes on from there, also after a crash.
    """
    from diffuscope.api.run import run as begun
    from diffuscope.cli.describe import table
    from diffuscope.jobs.input_text import parse_inputs, parse_ranges
    from diffuscope.results.result import open_result

    if (source is None) == (not inputs):
        raise InputError("give one INPUT, or say --input KEY=FILE for each of the model's inputs.")
    cancelled = threading.Event()
    events = begun(
        model,
        source if source is not None else parse_inputs(inputs or ()),
        out,
        region=region,
        slices=slices,
        ranges=parse_ranges(ranges or ()),
        normalise=normalise,
        mpp=mpp,
        quality=quality,
        sampler=sampler,
        steps=steps,
        samples=samples,
        options=_options(option or []),
        seed=seed,
        device=device,
        batch=batch,
        precision=precision,
        threads=threads,
        workers=workers,
        scheduler=scheduler,
        devices=devices,
        compile=compile,
        want=tuple(want.split(",")) if want else (),
        overwrite=overwrite,
        resume=resume,
        cancelled=cancelled.is_set,
    )
    _follow(events, cancelled)
    for line in table(open_result(out)):
        typer.echo(line)
    typer.echo(f"\nWrote {out}")


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


def _ends(of: Literal["slide", "volume"]) -> str:
    return ", ".join(f"…{ending}" for ending in endings(of))


@app.command()
def export(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Result folder of a finished run.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help=f"{_ends('slide')}; of a volume {_ends('volume')}"),
    ],
    *,
    layer: Annotated[
        str, typer.Option(metavar="NAME|all|multiplex", help="Which image; multiplex: all stains in one picture.")
    ] = "all",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the way.")] = False,
    source: Annotated[
        Path | None,
        typer.Option(metavar="SERIES", help="For ….dicom: the series that the run took in, to keep patient and study."),
    ] = None,
) -> None:
    """Write a result as a file that QuPath and others open."""
    from diffuscope.api.export import export as verb
    from diffuscope.cli.progress import follow

    done = follow(verb(result, out, layer=layer, overwrite=overwrite, source=source))
    typer.echo(f"Wrote {done.path}")


app.command()(models)
app.command()(train)
app.command()(register)
app.command()(data)
app.command()(evaluate)
app.command()(measure)
app.add_typer(make, name="make")


def _follow(events: Generator[Event, None, None], cancelled: threading.Event) -> None:
    """Show a run to its end; leave with 130 where Ctrl-C ended it early."""
    from diffuscope.cli.interrupt import set_on_interrupt
    from diffuscope.cli.progress import follow

    with set_on_interrupt(cancelled):
        end = follow(events)
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
