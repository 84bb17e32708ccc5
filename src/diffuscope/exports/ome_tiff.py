"""A result as pyramidal OME-TIFF, which QuPath (Bio-Formats), napari and tifffile read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import imagecodecs
import tifffile
import zarr

from diffuscope.exports.tiles import TILE, Tile, stored_images, tiles

if TYPE_CHECKING:
    import dask.array as da

    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result

NAMESPACE = "diffuscope/run-record"

# Of uncompressed tiles waiting for the compressing threads, bytes.
_BUFFER = 32 * 2**20


def need(request: Request) -> int:
    """Return an upper estimate of the file's size in bytes."""
    # On real tissue Deflate came to 0.90 (colour) and 1.04 times (maps) what the result takes on disk.
    count: int = sum(
        -(-level.shape[0] // TILE) * -(-level.shape[1] // TILE) * (1 if port.kind == "rgb" else level.shape[2])
        for port in request.ports
        for level in request.result.images[port.key]
    )
    return int(1.5 * request.stored_bytes) + 1024 * count + 2**20


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A compression of colours that loses something; maps are never compressed so.

    Attributes
    ----------
    name : str
        As a file says it.
    options : dict
        Of `tifffile.TiffWriter.write`.
    """

    name: str
    options: dict[str, Any]


def write(part: Path, request: Request, *, codec: Codec | None = None) -> None:
    """Write a BigTIFF whose images each have their own pyramid in SubIFDs, in tiles of 256 px on every level.

    With ``layer="all"`` the file holds one OME image (series) per layer, the main one first. QuPath asks which
    series to open, or adds all of them to a project, as separate entries named after the layers; the colour
    image opens as bright-field RGB, each map as a float image whose values are the physical ones.

    The compression is lossless (Deflate), but of colours by a `codec`. JPEG is smaller, but its 8 x 8 px blocks
    change the DAB density that is read from the colours, and it cannot hold float maps. Colour is stored as
    horizontal differences, which Deflate packs better; float maps are not, because Bio-Formats knows no
    predictor for floats.

    ``PositionX`` and ``PositionY`` are the place of the image's upper left corner in µm from the slide's upper
    left corner. The run record is a MapAnnotation of the first image; every image's description says what
    it is not for.
    """
    result = request.result
    stored = stored_images(result)
    with tifffile.TiffWriter(part, bigtiff=True, ome=True) as file:
        for index, port in enumerate(request.ports):
            levels = result.images[port.key]
            metadata = _ome(result, port)
            if codec is not None and port.kind == "rgb":
                metadata["Description"] += (
                    f" Compressed with loss ({codec.name}): these are not the px that were computed."
                )
            if index == 0:
                metadata |= record_annotation(request.record)
            for number, level in enumerate(levels):
                _write_level(
                    file,
                    port,
                    level,
                    number=number,
                    count=len(levels),
                    mpp=result.mpp,
                    metadata=metadata,
                    codec=codec,
                    source=stored[port.key][number] if port.key in stored else None,
                )


def _write_level(
    file: tifffile.TiffWriter,
    port: Raster,
    level: da.Array,
    *,
    number: int,
    count: int,
    mpp: float,
    metadata: dict[str, Any],
    codec: Codec | None,
    source: zarr.Array[Any] | None,
) -> None:
    """Write one level: the finest as the image, the others as its SubIFDs."""
    is_rgb = port.kind == "rgb"
    height, width, channels = level.shape
    per_cm = 1e4 / (mpp * 2**number)
    stored: dict[str, Any] = {
        "photometric": "rgb" if is_rgb else "minisblack",
        "compression": "adobe_deflate",
        "predictor": is_rgb,
    }
    code: Callable[[Tile], Any] = _deflated
    fill: float | None = port.fill
    if codec is not None and is_rgb:
        stored = {"photometric": "rgb", "maxworkers": os.cpu_count(), **codec.options}
        # These are coded by tifffile, which knows what else it has to say of them.
        code, fill = _as_is, None
    file.write(
        tiles(level, code, planar=not is_rgb, fill=fill, stored=source),
        shape=(height, width, channels) if is_rgb else (channels, height, width),
        dtype=port.dtype,
        tile=(TILE, TILE),
        planarconfig="contig" if is_rgb else None,
        **stored,
        subifds=count - 1 if number == 0 else None,
        subfiletype=1 if number else 0,
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        software=software() if number == 0 else None,
        metadata=metadata if number == 0 else None,
        buffersize=_BUFFER,
    )


def _as_is(tile: Tile) -> Tile:
    return tile


def _deflated(tile: Tile) -> bytes:
    """Return a tile as `tifffile` codes it, colours as differences along x, which are had faster by rows."""
    rows = tile.reshape(len(tile), -1)
    if tile.ndim == 3:
        steps = rows.copy()
        steps[:, tile.shape[2] :] -= rows[:, : -tile.shape[2]]
        rows = steps
    return bytes(imagecodecs.deflate_encode(rows))  # type: ignore[arg-type]


def _ome(result: Result, port: Raster) -> dict[str, Any]:
    """Return the OME metadata of one image, as tifffile names them."""
    planes = 1 if port.kind == "rgb" else len(port.channels)
    unit = f" ({port.unit})" if port.unit else ""
    names = [port.name] if port.kind == "rgb" else [f"{channel}{unit}" for channel in port.channels]
    place = {"X": result.window[1] * result.mpp, "Y": result.window[0] * result.mpp}
    plane: dict[str, Any] = {}
    for axis, value in place.items():
        plane |= {f"Position{axis}": [value] * planes, f"Position{axis}Unit": ["µm"] * planes}
    incomplete = "" if result.complete else f" Incomplete: {result.done} of {result.tiles} {result.unit}."
    return {
        "axes": "YXS" if port.kind == "rgb" else "CYX",
        "Name": port.name,
        "Description": f"{port.name}{unit}, computed by a diffusion model (Diffuscope). "
        f"Research use only; not for diagnosis.{incomplete}",
        "PhysicalSizeX": result.mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": result.mpp,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": names},
        "Plane": plane,
    }


def record_annotation(record: dict[str, Any]) -> dict[str, Any]:
    """Return the run record as tifffile takes it for the first image of a file, and what else holds for the file."""
    # Of its own accord tifffile takes an id that holds the address of the machine's network card.
    return {
        "UUID": str(uuid4()),
        "Creator": software(),
        "MapAnnotation": {"Namespace": NAMESPACE, "Value": _flat(record)},
    }


def _flat(record: dict[str, Any]) -> dict[str, str]:
    """Return the record as a map of text: plain text as it is, everything else as JSON."""
    # Control characters, which XML cannot hold and a file name can, are escaped by JSON.
    return {
        key: value if isinstance(value, str) and value.isprintable() else json.dumps(value)
        for key, value in record.items()
    }


def software() -> str:
    """Return what writes the file, with its version."""
    try:
        return f"Diffuscope {version('diffuscope')}"
    except PackageNotFoundError:
        return "Diffuscope"
