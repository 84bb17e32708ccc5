"""A result as clean OME-Zarr 0.4 (zarr v2), which QuPath, napari and ome-zarr-py read."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from diffuscope.exports.computed import ComputedSlices
from diffuscope.exports.shown import shown_port
from diffuscope.files.copy import copy_tree
from diffuscope.measurement.measurements import write_csv
from diffuscope.ports.state import state_port
from diffuscope.results.beside.mark import generated_by
from diffuscope.results.beside.others import KINDS
from diffuscope.results.chunks import read_chunk, write_box
from diffuscope.results.coverage import PATH as COVERAGE
from diffuscope.results.layout import ATTRS, create_images, group_path, level_folder, omero
from diffuscope.results.own import REGIONS, TABLE
from diffuscope.results.pyramid import update_pyramid
from diffuscope.results.sections import PATH as SECTIONS
from diffuscope.results.tissue import PATH as TISSUE
from diffuscope.tiling.boxes import chunks

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


def need(request: Request) -> int:
    """Return how many bytes are copied."""
    return request.stored_bytes


def write(part: Path, request: Request) -> None:
    """Copy the images of a result, its record, tissue mask, table, scores and texts, and nothing else.

    Of all layers the main image lies at the root and every map in a group of its name, as in the result; a single one
    lies at the root. Pixels are copied as stored, chunk by chunk; of a volume of which not all was computed they are
    written anew, NaN where nothing was. What comes out opens as a Diffuscope result too.
    QuPath opens the image at the root; to see a map there, export it alone.
    """
    result, ports = request.result, request.ports
    source = zarr.open_group(result.path, mode="r", zarr_format=2)
    root = zarr.create_group(store=part, zarr_format=2)
    slices = ComputedSlices(result) if result.place.what == "volume" else None
    if slices is not None and not slices.is_whole:
        ports = tuple(replace(port, dtype="float32") for port in ports)
        _write_known(root, result, ports, slices, about=generated_by(request.record))
    for port in ports if slices is None or slices.is_whole else ():
        there = group_path(result.ports, port.key)
        here = group_path(ports, port.key)
        group: Any = root.create_group(port.key) if here else root
        described: Any = source[port.key] if there else source
        for level in range(len(result.images[port.key])):
            _check_chunks(described[str(level)])
            copy_tree(result.path / there / str(level), part / here / str(level))
        shown = omero(port, shown_port(result, port).range)
        scales = [{**one, "name": port.name} for one in described.attrs["multiscales"]]
        group.attrs.update({"multiscales": scales, "omero": shown})
    about: Any = source.attrs[ATTRS]
    root.attrs[ATTRS] = {**about, "record": request.record, "ports": [state_port(port) for port in ports]}
    for kept in (TISSUE, COVERAGE, SECTIONS):
        if kept in source:
            copy_tree(result.path / kept, part / kept)
    for name in (TABLE, REGIONS, *(kind.name for kind in KINDS)):
        if (result.path / name).is_dir():
            copy_tree(result.path / name, part / name)
        elif rows := {TABLE: result.table, REGIONS: result.regions}.get(name):
            names = ({TABLE: "region_name", REGIONS: "region"}[name],) if request.is_anonymous else ()
            kept_rows = [{column: row[column] for column in row if column not in names} for row in rows]
            write_csv(kept_rows, part / name, replace=False)
        elif (result.path / name).exists():
            shutil.copyfile(result.path / name, part / name)


def _write_known(
    root: zarr.Group, result: Result, ports: Sequence[Raster], slices: ComputedSlices, *, about: str
) -> None:
    """Write the pyramids of a volume's result, NaN where nothing, or not all that a coarse px covers, was computed."""
    unknown = [replace(port, fill=np.nan) for port in ports]
    place = result.place
    images = create_images(root, unknown, shape=slices.shape, spacing=place.spacing, origin=place.origin, about=about)
    for port in ports:
        levels = images[port.key]
        for z in range(slices.shape[0]):
            block = np.stack([slices.read(port, z, channel) for channel in range(len(port.channels))])[:, None]
            box = (z, 0, 0, 1, *slices.shape[1:])
            write_box(levels[0], box, block)
            update_pyramid(levels, chunks(box))


def _check_chunks(array: Any) -> None:
    """Refuse a level of which a chunk cannot be read, rather than hand it on."""
    folder = level_folder(array)
    for file in folder.glob("/".join("*" * array.ndim)):
        if all(part.isdigit() for part in file.relative_to(folder).parts):
            read_chunk(array, tuple(map(int, file.relative_to(folder).parts[1:])))
