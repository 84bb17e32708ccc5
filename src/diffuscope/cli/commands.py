"""Commands and their options. What they need is imported inside, so that --help answers at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import diffuscope
from diffuscope.cli.check_data import check_data
from diffuscope.cli.collector import fewer_collections
from diffuscope.cli.evaluate import evaluate
from diffuscope.cli.interrupt import interrupted_from_outside
from diffuscope.cli.last_resort import quiet_libraries, sentences
from diffuscope.cli.make import make
from diffuscope.cli.measure import measure
from diffuscope.cli.models import models
from diffuscope.cli.radiomics import radiomics
from diffuscope.cli.register import register
from diffuscope.cli.run import follow_run, run
from diffuscope.cli.score import score
from diffuscope.cli.train import train
from diffuscope.errors import InputError, printable
from diffuscope.exports.table import endings


class _Sentences(TyperGroup):
    """Tells whatever goes wrong as one sentence, without a traceback."""

    def invoke(self, ctx: Any) -> object:
        """Run the command that was asked for."""
        told = sentences(lambda: ctx.invoked_subcommand or "")
        with fewer_collections(), quiet_libraries(), interrupted_from_outside(), told:
            _check_out(ctx.args)
            return super().invoke(ctx)


def _check_out(words: Sequence[str]) -> None:
    """Refuse an empty place to write, as of a shell's variable that was never set: as a path it is this folder."""
    if any(flag in {"-o", "--out"} and not place.strip() for flag, place in pairwise(words)) or "--out=" in words:
        raise InputError("-o is empty: say where to write.")


app = typer.Typer(
    cls=_Sentences,
    help="Diffusion models for slides and scans. For research; nothing here is for diagnosis.",
    epilog="A first look: diffuscope demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
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
    follow_run(events, cancelled)
    for line in show.finish(out):
        typer.echo(line)
    show.open_napari(out, view=view)


@app.command()
def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A slide, a volume, a result folder, or a QuPath file.")],
) -> None:
    """Tell what a slide, a volume or a result is, or what a QuPath project or GeoJSON holds."""
    from diffuscope.api.open import open as opened
    from diffuscope.cli.describe import describe

    for line in describe(opened(path)):
        for one in line.splitlines() or [""]:  # of a record in YAML; a name in a file may hold anything
            typer.echo(printable(one))


def _ends(of: Literal["slide", "volume", "case", "text"]) -> str:
    return ", ".join(f"…{ending}" for ending in endings(of))


@app.command()
def export(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Result folder of a finished run.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help=f"{_ends('slide')}; of a volume {_ends('volume')}; a report of a score {_ends('case')}; "
            f"a text {_ends('text')}; qupath: puts the objects of a slide into the QuPath that runs",
        ),
    ],
    *,
    layer: Annotated[
        str, typer.Option(metavar="NAME|all|multiplex", help="Which image; multiplex: all stains in one picture.")
    ] = "all",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the way.")] = False,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What the run took in. For ….dicom: the series, to keep patient and study; for ….report.pdf: the "
            "slide, to show it.",
        ),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Leave out names of files, series, command and notices of the run.")
    ] = False,
    qupath: Annotated[
        bool, typer.Option("--qupath", help="Of a slide: a folder of images, objects and a script that imports them.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="OD",
            help="Of a stain, for QuPath, reports and OME-Zarr: the DAB above which a px counts as positive. "
            "[default: as the result was measured]",
        ),
    ] = None,
) -> None:
    """Write a result as a file that QuPath and others open."""
    from diffuscope.api.export import export as verb
    from diffuscope.cli.progress import follow
    from diffuscope.scans.qupath.live import is_live

    done = follow(
        verb(
            result,
            out,
            layer=layer,
            overwrite=overwrite,
            source=source,
            anonymous=anonymous,
            qupath=qupath,
            threshold=threshold,
        )
    )
    if not is_live(done.path):
        typer.echo(f"Wrote {done.path}")


app.command()(run)
app.command()(models)
app.command()(train)
app.command()(register)
app.command()(check_data)
# What it was called before; not shown.
app.command("data", hidden=True)(check_data)
app.command()(score)
app.command()(evaluate)
app.command()(measure)
app.command()(radiomics)
app.add_typer(make, name="make")
