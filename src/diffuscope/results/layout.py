"""How a result lies on disk: OME-Zarr 0.4 (zarr v2), one multiscale image per output port.

A slide's images are (c, y, x) in micrometre, in chunks of 256 x 256 px; a volume's are (c, z, y, x) in
millimetre, in chunks of one slice. Coarser levels halve y and x only: z is the coarser axis already, and a
slice stays a slice at every level.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numcodecs
import zarr

from diffuscope.files.durable import replacing
from diffuscope.tiling.boxes import chunk_shape

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster

SMALLEST = 256
ATTRS = "diffuscope"
# Two, so that an older Diffuscope refuses only the results that it cannot read.
SLIDE_FORMAT, VOLUME_FORMAT = 1, 2
# Of a result with scores or texts, which may have no image at all.
CASE_FORMAT = 3


def group_path(ports: Sequence[Raster], key: str) -> str:
    """Return where the image of output `key` lies: the root for the first port, else a group of its name."""
    return "" if ports[0].key == key else f"{key}/"


def level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return (…, height, width) of every pyramid level, finest first, halved until both are ≤ 256 px."""
    shapes = [shape]
    while max(shapes[-1][-2:]) > SMALLEST:
        *slices, height, width = shapes[-1]
        shapes.append((*slices, (height + 1) // 2, (width + 1) // 2))
    return shapes


def create_images(
    root: zarr.Group,
    ports: Sequence[Raster],
    *,
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    about: str = "",
) -> dict[str, list[zarr.Array[Any]]]:
    """Create the empty pyramids of all outputs with their OME metadata.

    Parameters
    ----------
    root : zarr.Group
        An empty zarr v2 group.
    ports : sequence of Raster
        Output ports, the main one first.
    shape : tuple of int
        Canvas size in px: (height, width) of a slide's, (depth, height, width) of a volume's.
    spacing : tuple of float
        Size of a canvas px along the same axes, in µm for a slide, in mm for a volume.
    origin : tuple of float
        Centre of the canvas's first px from the centre of the input's first px, likewise.
    about : str
        What each image says of itself besides its name.

    Returns
    -------
    dict of str to list of zarr.Array
        Levels by port key, finest first, each (c, y, x) or (c, z, y, x).
    """
    images = {}
    for port in ports:
        path = group_path(ports, port.key)
        group = root.create_group(port.key) if path else root
        channels = len(port.channels)
        images[port.key] = [
            group.create_array(
                str(level),
                shape=(channels, *level_shape),
                chunks=(channels, *chunk_shape(len(shape))),
                dtype=port.dtype,
                # A higher level takes three times as long for a few per cent.
                compressors=numcodecs.Blosc(cname="zstd", clevel=1, shuffle=numcodecs.Blosc.AUTOSHUFFLE),
                fill_value=port.fill,
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
            for level, level_shape in enumerate(level_shapes(shape))
        ]
        described = {"metadata": {"description": f"{port.name}. {about}"}} if about else {}
        group.attrs["multiscales"] = [multiscale(port.name, len(images[port.key]), spacing, origin) | described]
        group.attrs["omero"] = omero(port)
    return images


def open_images(root: zarr.Group, ports: Sequence[Raster]) -> dict[str, list[zarr.Array[Any]]]:
    """Open the pyramids of all outputs for reading, as `create_images` returns them."""
    images = {}
    for port in ports:
        group: Any = root if not group_path(ports, port.key) else root[port.key]
        levels = len(group.attrs["multiscales"][0]["datasets"])
        images[port.key] = [group[str(level)] for level in range(levels)]
    return images


def set_attribute(folder: Path, about: Mapping[str, Any]) -> None:
    """Write what a result says of itself, `ATTRS`, whole or not at all; what else its metadata say stays."""
    file = folder / ".zattrs"
    stated = json.loads(file.read_text(encoding="utf-8"))
    with replacing(file) as opened:
        opened.write(json.dumps({**stated, ATTRS: about}, indent=2).encode())


def level_folder(array: zarr.Array[Any]) -> Path:
    """Return where a level lies."""
    return Path(array.store.root) / array.path  # type: ignore[attr-defined]


def chunk_file(array: zarr.Array[Any], chunk: tuple[int, ...]) -> Path:
    """Return the file of chunk (…, cy, cx) of a level; it does not exist while the chunk holds only the fill value."""
    return level_folder(array).joinpath("0", *map(str, chunk))


def multiscale(name: str, levels: int, spacing: tuple[float, ...], origin: tuple[float, ...]) -> dict[str, Any]:
    """Return the NGFF 0.4 ``multiscales`` entry; places are those of pixel centres, as napari takes them."""
    names = ("z", "y", "x")[-len(spacing) :]
    datasets = []
    for level in range(levels):
        scale = [step if axis == "z" else step * 2**level for axis, step in zip(names, spacing, strict=True)]
        place = [first + (s - step) / 2 for first, s, step in zip(origin, scale, spacing, strict=True)]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1.0, *scale]},
                    {"type": "translation", "translation": [0.0, *place]},
                ],
            }
        )
    unit = "micrometer" if len(spacing) == 2 else "millimeter"
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", "unit": unit} for axis in names)]
    return {"version": "0.4", "name": name, "axes": axes, "datasets": datasets, "type": "area mean"}


def omero(port: Raster, shown: tuple[float, float] | None = None) -> dict[str, Any]:
    """Return the rendering block: channel names, colours, the port's range, and of that what is shown (all of it)."""
    colours = ("FF0000", "00FF00", "0000FF") if port.kind == "rgb" else ("FFFFFF",) * len(port.channels)
    low, high = port.range
    start, end = shown or port.range
    return {
        "name": port.name,
        "rdefs": {"model": "color" if port.kind == "rgb" else "greyscale"},
        "channels": [
            {
                "label": label,
                "color": colour,
                "active": True,
                "window": {"min": low, "max": max(high, end), "start": start, "end": end},
            }
            for label, colour in zip(port.channels, colours, strict=True)
        ],
    }
