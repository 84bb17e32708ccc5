"""A result of a volume as NRRD or MetaImage, on the lattice of its input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.exports.patient import whole_lattice, whole_voxels

if TYPE_CHECKING:
    from diffuscope.exports.request import Request


def need(request: Request) -> int:
    """Return the size of the voxels in bytes; they are compressed."""
    lattice, _ = whole_lattice(request.result)
    return int(np.prod(lattice.shape)) * np.dtype(np.float32).itemsize


def write(part: Path, request: Request) -> None:
    """Write one output in the order of the input's own file and with its affine, so that viewers lay one on the other.

    The file has the whole field of the input; where nothing was computed it is NaN. Where the
    model works at another spacing the file has that one, over the same field.

    Raises
    ------
    OSError
        Not all of it could be written.
    """
    import SimpleITK as sitk

    shown, storage = whole_lattice(request.result)
    lattice = storage.store_lattice(shown)
    voxels = np.ascontiguousarray(storage.store(whole_voxels(request.result, request.ports[0])))
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(lattice.spacing[::-1])
    image.SetOrigin(lattice.origin)
    # ITK's matrix has the directions of x, y and z in its columns.
    image.SetDirection(np.array(lattice.directions[::-1]).T.ravel().tolist())
    image.SetMetaData("Comment", request.told)
    try:
        sitk.WriteImage(image, str(part), useCompression=True)
        # Its writers do not always tell of a disk that is full.
        written = np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(part))), voxels, equal_nan=True)
    except RuntimeError:
        written = False
    if not written:
        # It says nowhere why: whoever writes as much is told.
        part.write_bytes(voxels.data)
        raise OSError("not all of it could be written")
