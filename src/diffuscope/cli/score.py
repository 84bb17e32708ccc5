"""`diffuscope score`: its options, how far it is, and what came out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffuscope.cli.exits import BAD_INPUT, CANCELLED

if TYPE_CHECKING:
    from diffuscope.jobs.masks import GivenMask


def score(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model (see: diffuscope models), or a model folder.")
    ],
    cohort: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="COHORT.csv …",
            help="Tables, CSV or XLSX, whose first column is the patient; the model's columns are looked for in all.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="CSV file to write; needed for a cohort.")
    ] = None,
    *,
    ct: Annotated[str | None, typer.Option(metavar="FILE", help="Of one case, instead of a cohort: its CT.")] = None,
    masks: Annotated[
        list[str] | None,
        typer.Option(
            "--masks",
            "--mask",
            metavar="FILE#NAME=ROLE",
            help="Outlines on the CT: labels or an RTSTRUCT; several files are said one by one.",
        ),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            metavar="FILE.csv#PATIENT",
            help="What is known besides: a row of a table, or NAME=VALUE,NAME=VALUE; may be repeated.",
        ),
    ] = None,
    quality: Annotated[
        str | None, typer.Option(help="One of the model's, see diffuscope models NAME. [default: its first]")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Draws a case and guide. [default: the quality's]")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    sampler: Annotated[str | None, typer.Option(hidden=True)] = None,
    steps: Annotated[int | None, typer.Option(hidden=True)] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16. [default: what the device is made for]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. [default: cores shared out]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a table of scores in the way.")] = False,
) -> None:
    """Score the patients of tables, or one case.

    Ctrl-C, or a crash, loses no row that is done: the same line goes on. Research use only; not for diagnosis.
    """
    from diffuscope.api.prediction import Settings
    from diffuscope.api.score import score as verb
    from diffuscope.cli.interrupt import set_on_interrupt
    from diffuscope.cli.progress import follow
    from diffuscope.jobs.provenance import NOT_FOR_DIAGNOSIS

    files: dict[str, GivenMask] = {"ct": ct} if ct else {}
    if masks:
        files["mask"] = masks[0] if len(masks) == 1 else tuple(masks)
    settings = Settings(
        quality=quality,
        sampler=sampler,
        steps=steps,
        samples=samples,
        seed=seed,
        device=device,
        precision=precision,
        threads=threads,
    )
    cancelled = threading.Event()
    events = verb(
        model,
        cohort or (),
        out,
        files=files,
        rows=rows or (),
        settings=settings,
        overwrite=overwrite,
        cancelled=cancelled.is_set,
    )
    with set_on_interrupt(cancelled):
        end = follow(events)
    failed = sum(1 for row in end.rows if row["error"])
    if not end.complete:
        kept = f": {len(end.rows)} rows are kept in {end.path}; the same line goes on" if end.path else ""
        typer.echo(f"Cancelled{kept}.", err=True)
        raise typer.Exit(CANCELLED)
    if not cohort:
        for line in _lines(end.rows[0]):
            typer.echo(line)
    if end.path:
        typer.echo(f"Wrote {end.path} ({len(end.rows) - failed} of {len(end.rows)} scored)")
    typer.echo(NOT_FOR_DIAGNOSIS)
    if failed == len(end.rows):
        raise typer.Exit(BAD_INPUT)


def _lines(row: Mapping[str, str | float | None]) -> Iterator[str]:
    """Yield what the row of one case says."""
    from diffuscope.cli.columns import aligned

    told = [("score", f"{row['score']:.2f}")]
    for name, low, high in (
        ("trained on other such patients (nominal 90 %)", "low", "high"),
        ("90 % of the draws of the class", "predictive_low", "predictive_high"),
    ):
        if row[low] is not None:
            told.append((name, f"{row[low]:.2f} to {row[high]:.2f}"))
    if row["threshold"] is not None:
        told.append(("threshold", f"{row['threshold']:.2f}"))
    said = {"missing": str(row["missing"]).replace(";", ", ")}
    told += [(name, said.get(name, str(row[name]))) for name in ("decision", "missing", "unlike") if row[name]]
    yield from aligned(told)
