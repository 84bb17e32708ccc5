"""A result as clean OME-Zarr 0.4 (zarr v2), which QuPath, napari and ome-zarr-py read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr

from diffuscope.exports.target import check_complete, check_room, check_target, choose_ports, in_place_of, stored_bytes
from diffuscope.ports.state import state_port
from diffuscope.results.layout import ATTRS, group_path
from diffuscope.results.result import TABLE
from diffuscope.results.tissue import PATH as TISSUE

if TYPE_CHECKING:
    from diffuscope.results.result import Result

ENDINGS = (".ome.zarr",)


def export_ome_zarr(
    result: Result, path: str | Path, layer: str = "all", *, overwrite: bool = False, allow_incomplete: bool = False
) -> Path:
    """Copy the images of a result, its record, tissue mask and table, and nothing else.

    With ``layer="all"`` the main image lies at the root and every map in a group of its name, as in
    the result; with one layer its image lies at the root. Pixels are copied as stored, chunk by chunk.
    What comes out opens as a Diffuscope result too. QuPath opens the image at the root; to see a map there,
    export it alone.

    Parameters
    ----------
    result : Result
        As opened.
    path : str or Path
        Folder to write, ``….ome.zarr``.
    layer : str
        Key or name of one output port, or ``"all"``.
    overwrite : bool
        Replace a Diffuscope result that stands there.
    allow_incomplete : bool
        Export a result whose run did not end; it stays marked incomplete.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        See `diffuscope.exports.export`.
    """
    path = Path(path)
    ports = choose_ports(result, layer)
    check_complete(result, allow_incomplete=allow_incomplete)
    check_target(result, path, ENDINGS, overwrite=overwrite, folder=True)
    check_room(path, stored_bytes(result, ports))
    source = zarr.open_group(result.path, mode="r", zarr_format=2)
    with in_place_of(path) as part:
        root = zarr.create_group(store=part, zarr_format=2)
        for port in ports:
            there = group_path(result.ports, port.key)
            here = group_path(ports, port.key)
            group: Any = root.create_group(port.key) if here else root
            described: Any = source[port.key] if there else source
            for level in range(len(result.images[port.key])):
                shutil.copytree(result.path / there / str(level), part / here / str(level))
            group.attrs.update({key: described.attrs[key] for key in ("multiscales", "omero")})
        about: Any = source.attrs[ATTRS]
        root.attrs[ATTRS] = {**about, "ports": [state_port(port) for port in ports]}
        if TISSUE in source:
            shutil.copytree(result.path / TISSUE, part / TISSUE)
        if (result.path / TABLE).exists():
            shutil.copy2(result.path / TABLE, part / TABLE)
    return path
