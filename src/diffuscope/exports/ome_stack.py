"""A result of a volume as OME-TIFF: one stack of slices per output, with the size of a voxel along all axes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.exports.ome_tiff import record_annotation, software
from diffuscope.exports.patient import computed_in

if TYPE_CHECKING:
    import dask.array as da

    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


def need(request: Request) -> int:
    """Return an upper estimate of the file's size in bytes."""
    return sum(int(request.result.images[port.key][0].nbytes) for port in request.ports)


def write(part: Path, request: Request) -> None:
    """Write the part of a volume that was computed, slice by slice; sizes in mm, places from the input's first voxel.

    An image (series) each output. OME knows no direction in the patient: for that see `diffuscope.exports.nifti`.
    """
    result = request.result
    with tifffile.TiffWriter(part, bigtiff=True, ome=True) as file:
        for index, port in enumerate(request.ports):
            level = result.images[port.key][0]
            depth, height, width, channels = level.shape
            metadata = _ome(result, port)
            if index == 0:
                metadata |= record_annotation(request.record)
            file.write(
                _planes(result, level),
                shape=(channels, depth, height, width),
                dtype=port.dtype,
                photometric="minisblack",
                compression="adobe_deflate",
                software=software(),
                metadata=metadata,
            )


def _planes(result: Result, level: da.Array) -> Iterator[NDArray[np.generic]]:
    """Yield (y, x), all slices of the first channel, then of the next; NaN where nothing was computed, of floats."""
    depth, height, width, channels = level.shape
    for channel in range(channels):
        for z in range(depth):
            plane = level[z, :, :, channel].compute(scheduler="synchronous")
            if plane.dtype.kind == "f":
                computed = computed_in(result, [range(z, z + 1), range(height), range(width)])[0]
                plane = np.where(computed, plane, plane.dtype.type(np.nan))
            yield np.ascontiguousarray(plane)


def _ome(result: Result, port: Raster) -> dict[str, Any]:
    """Return the OME metadata of one stack, as tifffile names them."""
    unit = f" ({port.unit})" if port.unit else ""
    about: dict[str, Any] = {
        "axes": "CZYX",
        "Name": port.name,
        "Description": f"{port.name}{unit}, computed by a diffusion model (Diffuscope). "
        "Synthetic; research use only; not for diagnosis.",
        "Channel": {"Name": [f"{channel}{unit}" for channel in port.channels]},
    }
    planes = result.images[port.key][0].shape[0] * len(port.channels)
    plane: dict[str, Any] = {}
    for axis, size, first in zip("ZYX", result.place.spacing, result.place.origin, strict=True):
        about |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "mm"}
        steps = range(planes // len(port.channels)) if axis == "Z" else [0] * (planes // len(port.channels))
        places = [first + size * step for step in steps] * len(port.channels)
        plane |= {f"Position{axis}": places, f"Position{axis}Unit": ["mm"] * planes}
    return about | {"Plane": plane}
