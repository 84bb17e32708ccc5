"""The demonstration: the shipped model on a region of the shipped slide, as files, as a picture, and in napari."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.api.demo import DEMO_MODEL, DEMO_REGION, DEMO_SLIDE
from diffuscope.api.export import export
from diffuscope.api.run import run
from diffuscope.cli.describe import table
from diffuscope.engine.events import Event
from diffuscope.events import finish as run_to_end
from diffuscope.exports.shown import shown_port
from diffuscope.exports.view.sheet import Panel, colour, draw_sheet
from diffuscope.files.place import FILE, check_place
from diffuscope.files.put import in_place_of
from diffuscope.results.result import RESULT as RESULT_FOLDER
from diffuscope.results.result import Result, open_result
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region
from diffuscope.scans.region import in_memory

NOTE = "Demonstration: the truth it learned is a written rule, not an antibody; not for diagnosis."
RESULT, EXPORT, PICTURE = "virtual-stain.ome.zarr", "virtual-stain.ome.tif", "demo.png"


def start(out: Path, cancelled: threading.Event) -> Generator[Event, None, None]:
    """Begin the demo's run; the result of an earlier demo is replaced.

    Parameters
    ----------
    out : Path
        Folder to write into.
    cancelled : threading.Event
        Ends the run when set.

    Raises
    ------
    InputError
        Something lies there that no earlier demo wrote.
    """
    standing = check_place(out / RESULT, RESULT_FOLDER, overwrite=True)
    for name in (EXPORT, PICTURE):
        check_place(out / name, FILE, overwrite=standing == "replaced", way_out="choose another folder")
    return run(
        DEMO_MODEL,
        sample_path(DEMO_SLIDE),
        out / RESULT,
        region=DEMO_REGION,
        overwrite=True,
        cancelled=cancelled.is_set,
    )


def finish(out: Path) -> Iterator[str]:
    """Export and picture a finished run; yield what to tell."""
    run_to_end(export(out / RESULT, out / EXPORT, overwrite=True))
    result = open_result(out / RESULT)
    scan = open_scan(sample_path(DEMO_SLIDE))
    y, x, height, width = result.window
    he = read_region(scan, y=y, x=x, height=height, width=width, factor=result.factor)
    with in_place_of(out / PICTURE, replace=True) as part:
        title = f"{result.ports[0].name} from {scan.name}"
        draw_sheet(_panels(he, result), title=title, note=NOTE, um_per_px=result.mpp).save(part)
    yield from table(result)
    yield f"\n{NOTE}\n"
    for name, what in (
        (PICTURE, "the picture"),
        (RESULT, "the result, to open in napari"),
        (EXPORT, "its export, to open in QuPath"),
    ):
        yield f"{out / name}  {what}"


def _panels(he: NDArray[np.uint8], result: Result) -> list[Panel]:
    """Return what went in, what came out, the densities, and how sure it is."""
    main, ports = result.ports[0], {port.key: port for port in result.ports}
    read = {key: in_memory(result.images[key][0])[..., 0] for key in ("dab", "uncertainty")}
    maps = [(shown_port(result, ports[key]), values) for key, values in read.items()]
    return [
        Panel("H&E", he),
        Panel(main.name, in_memory(result.images[main.key][0])),
        *(Panel(f"{port.name} ({port.unit})", colour(values, port), port) for port, values in maps),
    ]


def open_napari(out: Path, *, view: bool | None) -> None:
    """Show slide and result in napari, in a process of its own, until its window is closed.

    Parameters
    ----------
    out : Path
        The demo's folder.
    view : bool or None
        None: where there are a screen and napari.
    """
    if view if view is not None else _has_screen() and importlib.util.find_spec("napari") is not None:
        files = [str(sample_path(DEMO_SLIDE)), str(out / RESULT)]
        # Not imported: only the plugin knows napari.
        command = [
            sys.executable,
            "-m",
            "napari",
            *files,
            "--plugin",
            "diffuscope",
            "--with",
            "diffuscope",
            "Virtual staining",
        ]
        subprocess.run(command, check=False)  # noqa: S603  fixed words and our own paths


def _has_screen() -> bool:
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
