"""`diffuscope register`: its options, how far it is, and its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diffuscope.api.events import Registered


def register(
    fixed: Annotated[Path, typer.Argument(metavar="FIXED", help="The slide that stays, such as the H&E.")],
    moving: Annotated[Path, typer.Argument(metavar="MOVING", help="Its restain, such as the IHC, which is moved.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Result folder to write, e.g. ihc.ome.zarr.")
    ],
    *,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Measure the error on pairs of points: columns x_fixed, y_fixed, x_moving, y_moving, in pixels.",
        ),
    ] = None,
    affine_only: Annotated[bool, typer.Option("--affine-only", help="Leave the B-spline out.")] = False,
    checkerboard: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Picture to judge by eye: checkerboards and a curtain.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help="What the picture shows. [default: 600 µm of tissue]")
    ] = None,
    fixed_mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of FIXED, where it does not say or is wrong.")
    ] = None,
    moving_mpp: Annotated[
        float | None, typer.Option(help="µm per pixel of MOVING, where it does not say or is wrong.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a Diffuscope result in the way.")] = False,
) -> None:
    """Bring a restained slide into the frame of the slide it was.

    The transform is kept in the result folder as transform.json, with a record of how it was found.
    """
    from diffuscope.api.register import register as verb
    from diffuscope.cli.progress import follow

    events = verb(
        fixed,
        moving,
        out,
        landmarks=landmarks,
        affine_only=affine_only,
        picture=checkerboard,
        window=window,
        fixed_mpp=fixed_mpp,
        moving_mpp=moving_mpp,
        overwrite=overwrite,
    )
    done = follow(events)
    for line in table(done):
        typer.echo(line)
    typer.echo(f"\nWrote {out}" + (f" and {checkerboard}" if checkerboard else ""))


def table(done: Registered) -> Iterator[str]:
    """Yield the figures of a registration, one line a quantity and one column a stage, then the transform in words."""
    stages = list(done.figures)
    rows = [["", *stages]] + [
        [name, *(f"{done.figures[stage][name]:.3g}" for stage in stages)] for name in done.figures[stages[0]]
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for name, *values in rows:
        yield "  ".join([name.ljust(widths[0]), *(v.rjust(w) for v, w in zip(values, widths[1:], strict=True))])
    moved = done.transform
    yield ""
    yield (
        f"rotation {moved.rotation:.2f}°{', mirrored' if moved.mirrored else ''}, scale {moved.scale:.4f}, "
        f"haematoxylin correlates with {done.correlation:.2f} after the affine stage"
    )
