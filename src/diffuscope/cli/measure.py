"""`diffuscope measure`: the numbers of a virtual stain, or load and penetration of regions, as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def measure(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Result folder of a finished run on a slide.")],
    vessels: Annotated[
        str | None,
        typer.Argument(
            metavar="[VESSELS]",
            help="Of a predicted distribution: the slide that the run took in; FILE#CHANNEL is another channel of it.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.csv", help="Table to write, a row a region and stain.")
    ] = None,
    *,
    cells: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.geojson",
            help="Of a stain: outlines of all cells, as QuPath exports them, to tell what part of them is positive.",
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help='Of a distribution: rectangle, or polygon "x,y x,y x,y", in pixels of the finest level, or '
            "FILE.geojson#NAME; may be repeated. [default: all tissue]",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Of a stain: OD above which DAB is positive. [default: the run's] Of a distribution: value above "
            "which the channel is vessel. [default: Li's]"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file in the way.")] = False,
) -> None:
    """Measure a virtual stain in its region, or the predicted load of regions and how it falls from the vessels."""
    from diffuscope.api.measure import measure as verb
    from diffuscope.cli.progress import follow
    from diffuscope.jobs.drawn.regions import find_region
    from diffuscope.measurement.table import as_text, readable

    regions = {text: find_region(text)[0] for text in region or ()}
    asked = verb(result, vessels, out, regions=regions, threshold=threshold, cells=cells, overwrite=overwrite)
    header, lines = readable(as_text(follow(asked).rows))
    table = [["", *header], *lines]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for name, *values in table:
        typer.echo(
            "  ".join([name.ljust(widths[0]), *(v.rjust(w) for v, w in zip(values, widths[1:], strict=True))]).rstrip()
        )
    if out is not None:
        typer.echo(f"\nWrote {out}")
