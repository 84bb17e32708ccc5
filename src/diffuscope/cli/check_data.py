"""`diffuscope check-data`: its options, and the report as text or JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from diffuscope.errors import DiffuscopeError
from diffuscope.files.read import read_json


def check_data(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A folder with one sub-folder a port (he/, ihc/ …), or a table of cases (.csv)."
        ),
    ],
    *,
    model: Annotated[str | None, typer.Option(help="The model that it is for: its ports and µm/px.")] = None,
    keys: Annotated[
        str | None, typer.Option(metavar="KEY,KEY", help="Port keys, instead of a model's, e.g. he,ihc.")
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of the pictures that do not say it, as PNG and JPEG never do.")
    ] = None,
    validation: Annotated[float, typer.Option(help="Share of the groups that validate.")] = 0.2,
    test: Annotated[float, typer.Option(help="Share of the groups that test.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    patch: Annotated[
        int | None, typer.Option(metavar="PX", help="Tell cases without room for a crop that is half tissue.")
    ] = None,
    limit: Annotated[float, typer.Option(metavar="µm", help="Shift above which a pair is misregistered.")] = 3.0,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all of it here.")] = None,
) -> None:
    """Look a data set over before training: counts, µm/px, values, misregistered pairs, leaks between parts."""
    from diffuscope.api.check_data import check_data as begun
    from diffuscope.cli.progress import follow
    from diffuscope.files.place import Kind, check_place
    from diffuscope.files.put import put_text

    if json_file is not None:
        check_place(json_file, Kind("a report of check-data", _is_report, is_folder=False), overwrite=True)

    events = begun(
        folder,
        model=model,
        keys=keys.split(",") if keys else (),
        assumed_mpp=mpp,
        validation=validation,
        test=test,
        seed=seed,
        patch=patch,
        shift_limit_um=limit,
    )
    report = follow(events).report
    for line in report.lines():
        typer.echo(line)
    if json_file is not None:
        put_text(json_file, json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n", replace=True)


def _is_report(path: Path) -> bool:
    with suppress(OSError, ValueError, DiffuscopeError):
        stated = read_json(path)
        return isinstance(stated, dict) and {"parts", "problems"} <= stated.keys()
    return False
