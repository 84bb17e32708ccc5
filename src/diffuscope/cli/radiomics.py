"""`diffuscope radiomics`: what can be measured of tumours and lymph nodes, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def radiomics(
    cohort: Annotated[
        Path,
        typer.Argument(
            metavar="COHORT.csv", help="A row a patient, named in the first column; ct and mask are paths from there."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.csv", help="Table to write, a row a patient.")],
    *,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="How is measured. [default: soft tissue, 1 mm, levels of 25 HU]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file in the way.")] = False,
) -> None:
    """Measure tumours and lymph nodes outlined in CTs, as the Image Biomarker Standardisation Initiative defines it."""
    from diffuscope.api.radiomics import radiomics as verb
    from diffuscope.cli.exits import BAD_INPUT
    from diffuscope.cli.progress import follow

    done = follow(verb(cohort, out, settings=settings, overwrite=overwrite))
    measured = sum(1 for _, *values in map(dict.values, done.rows) if any(value is not None for value in values))
    typer.echo(f"Wrote {done.path} ({measured} of {len(done.rows)} measured)")
    if not measured:
        raise typer.Exit(BAD_INPUT)
