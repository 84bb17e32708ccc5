"""A folder for QuPath: an OME-TIFF an image, objects as GeoJSON, the script that imports them, and how to use it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.exports import ome_tiff
from diffuscope.exports.qupath.features import features
from diffuscope.exports.qupath.script import script
from diffuscope.files.place import Kind, parts_named
from diffuscope.measurement.threshold import told_threshold
from diffuscope.results.beside.mark import generated_by

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

OBJECTS, SCRIPT, README = "objects.geojson", "import.groovy", "README.txt"
#: What an export for QuPath writes, and so may replace.
KIND = Kind(
    "an export for QuPath",
    lambda path: (path / OBJECTS).is_file() and (path / SCRIPT).is_file(),
    parts=parts_named(r"(?:objects\.geojson|import\.groovy|README\.txt|[^/]+\.ome\.tif)"),
)
# Bytes of a detection, with its outline; of a tile.
_DETECTION, _TILE = 4096, 512


def need(request: Request) -> int:
    """Return an upper estimate of the folder's size in bytes."""
    counted = 0
    for row in request.result.table:
        with suppress(ValueError):
            counted += int(float(row.get("positive_objects") or 0))
    values = request.result.values
    tiles = sum(np.prod(array.shape[:-1]) for array in values.arrays.values()) if values is not None else 0
    return ome_tiff.need(request) + _DETECTION * counted + _TILE * int(tiles) + 2**20


def write(part: Path, request: Request) -> None:
    """Write the folder `part`.

    Each image is a file of its own, so that QuPath does not ask which of several is meant. The objects are those of the
    whole result, whatever images were chosen. Memory is that of a band of the result, whatever its size.
    """
    part.mkdir()
    stem = part.name.removesuffix(".qupath")
    names = {port.key: f"{stem}-{port.key}.ome.tif" for port in request.ports}
    for port in request.ports:
        ome_tiff.write(part / names[port.key], replace(request, ports=(port,)))
    counts = _write_objects(part / OBJECTS, request)
    (part / SCRIPT).write_text(script(request, names), encoding="utf-8")
    (part / README).write_text(_readme(request, names, counts), encoding="utf-8")


def _write_objects(file: Path, request: Request) -> dict[str, int]:
    """Write the objects a line each, and return how many there are of each kind."""
    counts: dict[str, int] = {}
    found = features(request.whole, request.record)
    with file.open("w", encoding="utf-8") as opened:
        opened.write('{"type": "FeatureCollection", "generated": ')
        opened.write(json.dumps(generated_by(request.record)) + ', "features": [')
        for number, one in enumerate(found):
            opened.write((",\n" if number else "\n") + json.dumps(one, ensure_ascii=False, allow_nan=False))
            kind = one["properties"]["objectType"]
            counts[kind] = counts.get(kind, 0) + 1
        opened.write("\n]}\n")
    return counts


def _readme(request: Request, names: dict[str, str], counts: dict[str, int]) -> str:
    place = request.result.place
    y, x = (start * factor for start, factor in zip(place.window, place.factors, strict=False))
    shown = {"annotation": "region", "detection": "positive object", "tile": "tile"}
    told = ", ".join(
        f"{counts[kind]} {name}{'s'[: counts[kind] > 1]}" for kind, name in shown.items() if kind in counts
    )
    images = "\n".join(f"  {names[port.key]}: {port.name}" for port in request.ports)
    return f"""{generated_by(request.record)}

Images, computed by the model:
{images}
Objects: {OBJECTS} ({told or "none"}), in pixels of the slide's full resolution.{_counted(request)}
The images begin at x = {x:g}, y = {y:g} of the slide; one of their pixels covers {place.factors[-1]:g} of its pixels.

In QuPath 0.5 or later:
1. Make a project and add the slide, the images, or both.
2. Open one of them, then {SCRIPT} (Automate > Script editor, File > Open...), and press Run.
   The objects come onto the slide, or onto the image that is open, and the images get their display ranges.
Objects can also be dragged into the window ({OBJECTS}, onto the slide only).

A virtual stain is a guess of what a stain might look like, not a measurement of a protein. Not for diagnosis.
"""


def _counted(request: Request) -> str:
    """Say from which DAB on objects are positive, as a line; nothing where there are none."""
    return f"\n{told_threshold(request.record)}" if any("threshold_od" in row for row in request.result.table) else ""
