"""A result as OME-Zarr 0.5 (zarr v3), in shards: a slide is some hundred files instead of some hundred thousand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from diffuscope.exports.computed import ComputedSlices
from diffuscope.exports.ngff.labels import write_labels
from diffuscope.exports.shown import shown_port
from diffuscope.results.beside.mark import generated_by
from diffuscope.results.layout import ATTRS, group_path, multiscale, omero
from diffuscope.results.pyramid import halve
from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    import dask.array as da

    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result

#: Of the format.
VERSION = "0.5"
# Px along y and x of a chunk, and of a shard, which is written at once: 50 MB of three maps.
_CHUNK, _SHARD = 256, 2048


def need(request: Request) -> int:
    """Return an upper estimate of what is written, bytes."""
    # Zstandard alone came to 0.8 to 1.1 of what Blosc with it makes of the same px; labels are a tenth.
    return int(1.5 * request.stored_bytes) + 2**20


def write(part: Path, request: Request) -> None:
    """Write each image as a pyramid with its metadata, tissue and counted objects of a slide as labels, and the record.

    The labels are those of the whole result, whatever images were chosen.
    Of all layers the main image lies at the root and every map in a group of its name. Of a volume of which not all
    was computed the rest is NaN.
    """
    result, about = request.result, generated_by(request.record)
    root = zarr.create_group(store=part, zarr_format=3)
    for port in request.ports:
        group = root.create_group(port.key) if group_path(request.ports, port.key) else root
        levels = result.images[port.key]
        place = result.place
        stated = multiscale(port.name, len(levels), place.spacing, place.origin)
        del stated["version"]
        stated["metadata"] = {"description": f"{port.name}. {about}"}
        group.attrs["ome"] = {
            "version": VERSION,
            "multiscales": [stated],
            "omero": omero(port, shown_port(result, port).range),
        }
        if place.what == "volume":
            _write_volume(group, port, result)
        else:
            for number, level in enumerate(levels):
                array = create(group, str(number), (level.shape[2], *level.shape[:2]), port.dtype, port.fill)
                for y, x in shards(level.shape[:2]):
                    block = in_memory(level[y : y + _SHARD, x : x + _SHARD])
                    array[:, y : y + _SHARD, x : x + _SHARD] = np.moveaxis(block, -1, 0)
    if result.place.what == "slide":
        write_labels(root, request.whole)
    root.attrs[ATTRS] = {"record": request.record, "complete": result.complete}


def create(group: zarr.Group, name: str, shape: tuple[int, ...], dtype: Any, fill: float) -> zarr.Array[Any]:
    """Create a level, (…, y, x): a chunk is 256 px a side of all channels, a shard up to 2048, one slice each."""
    first = (shape[0], *(1 for _ in shape[1:-2]))
    sides = tuple(min(_SHARD, -(-side // _CHUNK) * _CHUNK) for side in shape[-2:])
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(*first, _CHUNK, _CHUNK),
        shards=(*first, *sides),
        compressors=ZstdCodec(level=1),
        fill_value=fill,
        dimension_names=("c", *"zyx"[1 - len(shape) :]),
    )


def shards(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield where shards begin, (y, x)."""
    for y in range(0, shape[0], _SHARD):
        for x in range(0, shape[1], _SHARD):
            yield y, x


def _write_volume(group: zarr.Group, port: Raster, result: Result) -> None:
    """Write a volume slice by slice, NaN where nothing, or not all that a coarse px covers, was computed."""
    slices = ComputedSlices(result)
    if not slices.is_whole:
        port = replace(port, dtype="float32", fill=np.nan)
    levels = result.images[port.key]
    arrays = [
        create(group, str(number), (level.shape[-1], *level.shape[:-1]), port.dtype, port.fill)
        for number, level in enumerate(levels)
    ]
    for z in range(levels[0].shape[0]):
        for array, block in zip(arrays, _slice(slices, port, levels, z), strict=True):
            array[:, z] = block


def _slice(slices: ComputedSlices, port: Raster, levels: Sequence[da.Array], z: int) -> Iterator[NDArray[np.generic]]:
    """Yield a slice of each level, (c, y, x)."""
    if slices.is_whole:
        for level in levels:
            yield np.moveaxis(in_memory(level[z]), -1, 0)
        return
    block: NDArray[np.generic] = np.stack([slices.read(port, z, channel) for channel in range(len(port.channels))])
    for number in range(len(levels)):
        block = halve(block) if number else block
        yield block
