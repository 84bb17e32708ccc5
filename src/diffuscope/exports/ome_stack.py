"""A result of a volume as OME-TIFF: one stack of slices per output, with the size of a voxel along all axes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.exports.computed import ComputedSlices
from diffuscope.exports.ome_tiff import record_annotation, software

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


def need(request: Request) -> int:
    """Return an upper estimate of the file's size in bytes."""
    return sum(int(request.result.images[port.key][0].nbytes) for port in request.ports)


def write(part: Path, request: Request) -> None:
    """Write the canvas of a volume, slice by slice, NaN where nothing was computed; sizes in mm.

    Places are from the input's first voxel. Whole numbers are float32 where something is missing.

    An image (series) each output. OME knows no direction in the patient: for that see `diffuscope.exports.nifti`.
    """
    result = request.result
    slices = ComputedSlices(result)
    with tifffile.TiffWriter(part, bigtiff=True, ome=True) as file:
        for index, port in enumerate(request.ports):
            channels = len(port.channels)
            metadata = _ome(result, port)
            if index == 0:
                metadata |= record_annotation(request.record)
            file.write(
                _planes(slices, port),
                shape=(channels, *slices.shape),
                dtype=slices.dtype(port),
                photometric="minisblack",
                compression="adobe_deflate",
                software=software(),
                metadata=metadata,
            )


def _planes(slices: ComputedSlices, port: Raster) -> Iterator[NDArray[np.generic]]:
    """Yield (y, x), all slices of the first channel, then of the next."""
    dtype = slices.dtype(port)
    for channel in range(len(port.channels)):
        for z in range(slices.shape[0]):
            yield np.ascontiguousarray(slices.read(port, z, channel), dtype)


def _ome(result: Result, port: Raster) -> dict[str, Any]:
    """Return the OME metadata of one stack, as tifffile names them."""
    unit = f" ({port.unit})" if port.unit else ""
    about: dict[str, Any] = {
        "axes": "CZYX",
        "Name": port.name,
        "Description": f"{port.name}{unit}, computed by a diffusion model (Diffuscope). "
        "Synthetic; research use only; not for diagnosis. NaN: not computed.",
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
