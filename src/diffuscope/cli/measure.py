"""`diffuscope measure`: load and penetration of regions of a predicted distribution, as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def measure(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Result folder of a finished run on a slide.")],
    vessels: Annotated[
        str,
        typer.Argument(
            metavar="VESSELS", help="The slide that the run took in; FILE#CHANNEL is another channel of it."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.csv", help="Table to write, a row a region.")],
    *,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help='Rectangle, or polygon "x,y x,y x,y", in pixels of the finest level, or FILE.geojson#NAME; may be '
            "repeated. [default: all tissue]",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Value above which the channel is vessel. [default: Li's]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file in the way.")] = False,
) -> None:
    """Measure the predicted load of regions, and how it falls with the distance from vessels."""
    from diffuscope.api.measure import measure as verb
    from diffuscope.cli.progress import follow
    from diffuscope.jobs.drawn.regions import find_region
    from diffuscope.measurement.table import as_text, readable

    regions = {text: find_region(text)[0] for text in region or ()}
    rows = follow(verb(result, vessels, out, regions=regions, threshold=threshold, overwrite=overwrite)).rows
    header, lines = readable(as_text(rows))
    cells = [["", *header], *lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for name, *values in cells:
        typer.echo(
            "  ".join([name.ljust(widths[0]), *(v.rjust(w) for v, w in zip(values, widths[1:], strict=True))]).rstrip()
        )
    typer.echo(f"\nWrote {out}")
