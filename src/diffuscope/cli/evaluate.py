"""`diffuscope evaluate`: its options, how far it is, and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model (see: diffuscope models), or a model folder.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A folder with one sub-folder a port (he/, ihc/ …), or a table of cases (.csv)."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write the report.")],
    *,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Finished pictures, named as the cases, instead of running the model."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="REPORT", help="Another report on the same cases: paired tests.")
    ] = None,
    inception: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="FID's Inception weights (.pth, .safetensors or hub:owner/name)."),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of the pictures that do not say it, as PNG and JPEG never do.")
    ] = None,
    quality: Annotated[
        str | None, typer.Option(help="One of the model's, see diffuscope models NAME. [default: its first]")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="As in `diffuscope run`.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. [default: the quality's or sampler's]")] = None,
    samples: Annotated[int | None, typer.Option(help="Samples a tile. [default: 1]")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    batch: Annotated[int | None, typer.Option(help="Tiles at once.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="Cases that are shown side by side.")] = 3,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin a report in the way again.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a report; results that are there are taken.")
    ] = False,
) -> None:
    """Run a model over test cases and report how near it comes to their truth."""
    from diffuscope.api.evaluate import evaluate as verb
    from diffuscope.api.prediction import Settings
    from diffuscope.cli.progress import follow
    from diffuscope.evaluation.figures import METRICS
    from diffuscope.evaluation.report.folder import HTML
    from diffuscope.evaluation.report.html import interval

    settings = Settings(
        quality=quality,
        sampler=sampler,
        steps=steps,
        samples=samples,
        seed=seed,
        device=device,
        batch=batch,
        precision=precision,
        threads=threads,
    )
    events = verb(
        model,
        data,
        out,
        settings=settings,
        predictions=predictions,
        against=against,
        inception=inception,
        mpp=mpp,
        worst=worst,
        overwrite=overwrite,
        resume=resume,
    )
    report = follow(events).report
    for notice in report["notices"]:
        typer.echo(f"Note: {notice}")
    wide = max(len(METRICS[key].name) for key in report["summary"])
    typer.echo(f"{'':<{wide}}  {'model':<24}  the input itself")
    for key, summary in report["summary"].items():
        metric = METRICS[key]
        beside = interval(report["input_summary"].get(key), metric.digits)
        typer.echo(f"{metric.name:<{wide}}  {interval(summary, metric.digits):<24}  {beside} {metric.unit}".rstrip())
    for line in compared(report):
        typer.echo(line)
    typer.echo(f"\nWrote {out / HTML}")


def compared(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a report's comparison with another, as its page has them; none where there is none."""
    from diffuscope.errors import printable
    from diffuscope.evaluation.figures import METRICS
    from diffuscope.evaluation.report.html import interval
    from diffuscope.files.text_table import table

    if not report["against"]:
        return
    rows = []
    for key, test in report["against"]["tests"].items():
        metric = METRICS[key]
        p = (f"{test[of]:.4f}" for of in ("wilcoxon_p", "permutation_p", "permutation_p_holm"))
        unit = f", {metric.unit}" if metric.unit else ""
        difference = interval({**test, "value": test["difference"]}, metric.digits)
        rows.append((f"{metric.name}{unit}", metric.better, difference, *p, test["groups"]))
    yield f"\nAgainst {printable(report['against']['name'])} (this less the other, paired by patient or slide):"
    yield from table(
        ("", "better", "difference [95 %]", "Wilcoxon p", "permutation p", "adjusted (Holm)", "pairs"), rows
    )
