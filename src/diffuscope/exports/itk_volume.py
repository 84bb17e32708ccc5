"""A result of a volume as NIfTI, NRRD or MetaImage, on the lattice of its input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.exports.patient import check_volume, one_port, whole_lattice, whole_voxels
from diffuscope.exports.target import check_complete, check_room, check_target, choose_ports, in_place_of
from diffuscope.scans.formats.libraries import check_libraries

if TYPE_CHECKING:
    from diffuscope.results.result import Result

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")


def export_itk(
    result: Result, path: str | Path, layer: str = "all", *, overwrite: bool = False, allow_incomplete: bool = False
) -> Path:
    """Write one output in the order of the input's own file and with its affine, so that viewers lay one on the other.

    The file has the whole field of the input; where nothing was computed stands the output's fill value. Where the
    model works at another spacing the file has that one, over the same field.

    Parameters
    ----------
    result : Result
        Of a volume.
    path : str or Path
        ``….nii.gz``, ``….nii``, ``….nrrd`` or ``….mha``.
    layer : str
        Key or name of one output port; ``"all"`` of a result that has one.
    overwrite : bool
        Replace a file that stands there.
    allow_incomplete : bool
        Export a result whose run did not end.

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
    check_volume(result, path)
    port = one_port(result, choose_ports(result, layer), path)
    check_libraries(path.name)
    check_complete(result, allow_incomplete=allow_incomplete)
    check_target(result, path, ENDINGS, overwrite=overwrite, folder=False)
    shown, storage = whole_lattice(result)
    check_room(path, int(np.prod(shown.shape)) * np.dtype(port.dtype).itemsize)

    import SimpleITK as sitk

    lattice = storage.store_lattice(shown)
    image = sitk.GetImageFromArray(np.ascontiguousarray(storage.store(whole_voxels(result, port))))
    image.SetSpacing(lattice.spacing[::-1])
    image.SetOrigin(lattice.origin)
    # ITK's matrix has the directions of x, y and z in its columns.
    image.SetDirection(np.array(lattice.directions[::-1]).T.ravel().tolist())
    with in_place_of(path) as part:
        sitk.WriteImage(image, str(part), useCompression=True)
    return path
