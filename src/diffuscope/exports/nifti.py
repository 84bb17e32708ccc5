"""A result of a volume as NIfTI, which says in both of its forms where it lies what the input's own file says."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, log2
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.exports.patient import whole_forms, whole_lattice, whole_voxels
from diffuscope.scans.formats.volumes.nifti_header import NIFTI_1, SINGLE, TYPES

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.scans.formats.volumes.nifti_forms import Forms

# Four bytes after the header say that nothing else comes before the voxels.
_START = NIFTI_1.itemsize + 4
_NUMBER_OF = {dtype: number for number, dtype in TYPES.items()}


def need(request: Request) -> int:
    """Return the size of the voxels in bytes; they may be compressed."""
    lattice, _ = whole_lattice(request.result)
    return _START + int(np.prod(lattice.shape)) * np.dtype(np.float32).itemsize


def write(part: Path, request: Request) -> None:
    """Write one output in the order of the input's own file and with its forms, so that viewers lay one on the other.

    The file has the whole field of the input; where nothing was computed it is NaN, and to readers that take NaN for a
    stored 0 it is the number of `absent`. Where the model works at another spacing the file has that one, over the same
    field. Of an input that was a NIfTI qform, sform, their codes and the unit are kept, also where the two forms
    contradict each other: whichever a viewer goes by, the result lies on its input.

    Raises
    ------
    OSError
        Not all of it could be written.
    InputError
        A side has more voxels than NIfTI can say.
    """
    _, storage = whole_lattice(request.result)
    port = request.ports[0]
    voxels = storage.store(whole_voxels(request.result, port))
    intercept = absent(port) if np.isnan(voxels).any() else 0.0
    write_nifti(part, voxels, whole_forms(request.result), about=request.told, intercept=intercept)


def absent(port: Raster) -> float:
    """Return what ITK reads where an output is NaN: a power of two below zero, 16 times as far as the port's range.

    ITK, and so 3D Slicer and ITK-SNAP, takes a stored NaN of a NIfTI for 0, which of a CT is water, and then scales as
    the header says. With this number as the intercept 0 becomes a number that no tissue and no air has, and NaN stays
    NaN where it is read as such. A power of two moves whole numbers exactly, and others by a millionth of the range.
    """
    return -(2.0 ** ceil(log2(16 * max(abs(end) for end in port.range))))


def write_nifti(
    path: Path, voxels: NDArray[np.generic], forms: Forms, *, about: str = "", intercept: float = 0.0
) -> None:
    """Write voxels (z, y, x) as a NIfTI-1 file, packed by gzip where its name ends with .gz.

    `about` is its description, up to 79 ASCII characters. Values are stored less the `intercept`, which the header
    states.

    Raises
    ------
    OSError
        Not all of it could be written.
    InputError
        A side has more voxels than NIfTI can say.
    """
    if max(voxels.shape) > np.iinfo(np.int16).max:
        raise InputError(f"{path.name} would have a side of {max(voxels.shape)} voxels; NIfTI has 32767: use .nrrd.")
    header = np.zeros((), NIFTI_1.newbyteorder("<"))
    header["sizeof_hdr"], header["magic"], header["regular"] = NIFTI_1.itemsize, SINGLE[0], b"r"
    header["descrip"] = about.encode("ascii")
    header["dim"] = (3, *voxels.shape[::-1], 1, 1, 1, 1)
    header["datatype"], header["bitpix"] = _NUMBER_OF[voxels.dtype], 8 * voxels.dtype.itemsize
    header["vox_offset"], header["scl_slope"] = _START, 1.0
    header["scl_inter"] = intercept
    header["pixdim"][:4], header["xyzt_units"] = forms.pixdim, forms.units
    for key in ("qform_code", "sform_code", "quatern", "qoffset", "srow"):
        header[key] = getattr(forms, key)
    with _opened(path) as file:
        file.write(header.tobytes() + bytes(_START - NIFTI_1.itemsize))
        for plane in voxels:
            if intercept:
                plane = plane - np.float32(intercept)
            file.write(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).data)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not path.name.lower().endswith(".gz"):
            yield file
            return
        # Neither time nor name, so that the same voxels make the same file.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield cast("BinaryIO", packed)
