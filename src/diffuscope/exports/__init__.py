"""Results as files that other programs open: OME-TIFF and OME-Zarr; of volumes also NIfTI and DICOM."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.dicom import ENDINGS as DICOM_ENDINGS
from diffuscope.exports.dicom import export_dicom
from diffuscope.exports.itk_volume import ENDINGS as ITK_ENDINGS
from diffuscope.exports.itk_volume import export_itk
from diffuscope.exports.multiplex import MULTIPLEX, multiplex_result
from diffuscope.exports.ome_stack import export_ome_stack
from diffuscope.exports.ome_tiff import ENDINGS as TIFF_ENDINGS
from diffuscope.exports.ome_tiff import export_ome_tiff
from diffuscope.exports.ome_zarr import ENDINGS as ZARR_ENDINGS
from diffuscope.exports.ome_zarr import export_ome_zarr
from diffuscope.exports.patient import is_volume

if TYPE_CHECKING:
    from diffuscope.results.result import Result

__all__ = ["export", "export_dicom", "export_itk", "export_ome_stack", "export_ome_tiff", "export_ome_zarr"]


def export(
    result: Result,
    path: str | Path,
    *,
    layer: str = "all",
    overwrite: bool = False,
    allow_incomplete: bool = False,
    source: str | Path | None = None,
) -> Path:
    """Write a result as the format that the ending of `path` names.

    Parameters
    ----------
    result : Result
        As opened by `diffuscope.results.result.open_result`.
    path : str or Path
        ``….ome.tif`` or ``….ome.tiff`` (see `export_ome_tiff`), ``….ome.zarr`` (see `export_ome_zarr`); of a volume
        also ``….nii.gz``, ``….nii``, ``….nrrd``, ``….mha`` (see `export_itk`) and ``….dicom`` (see `export_dicom`).
    layer : str
        Key or name of one output port, ``"all"``, or ``"multiplex"``: the stains of a result that has several, in one
        picture (see `diffuscope.stains.multiplex`), as OME-TIFF only.
    overwrite : bool
        Replace what stands there: a file by a file, a Diffuscope result by OME-Zarr. Nothing else is ever replaced.
    allow_incomplete : bool
        Export a result whose run did not end; the file says that it is incomplete.
    source : str or Path, optional
        The DICOM series that the run took in, for a DICOM export of the same patient and study.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        The ending is unknown, there is no such layer, the result is incomplete, or the target cannot be written.
        Nothing is left behind.
    """
    path = Path(path)
    if not result.images:
        raise InputError(f"{result.path.name} holds no image to export: its scores and texts lie in its folder.")
    if layer == MULTIPLEX:
        result = _multiplex(result, path)
    if source is not None and not path.name.lower().endswith(DICOM_ENDINGS):
        raise InputError(f"{path.name} keeps nothing of a DICOM source: leave out --source, or end it with .dicom.")
    as_tiff = export_ome_stack if is_volume(result) else export_ome_tiff
    writers = (
        (TIFF_ENDINGS, as_tiff),
        (ZARR_ENDINGS, export_ome_zarr),
        (ITK_ENDINGS, export_itk),
        (DICOM_ENDINGS, partial(export_dicom, source=source)),
    )
    for endings, write in writers:
        if path.name.lower().endswith(endings):
            return write(result, path, layer, overwrite=overwrite, allow_incomplete=allow_incomplete)
    volumes = (*ITK_ENDINGS, *DICOM_ENDINGS) if is_volume(result) else ()
    known = ", ".join((*TIFF_ENDINGS, *ZARR_ENDINGS, *volumes))
    raise InputError(f"{path.name} has no ending that names a format to export: end it with one of {known}.")


def _multiplex(result: Result, path: Path) -> Result:
    """Return the result whose only image is the multiplex; refuse where there is none, and OME-Zarr."""
    made = multiplex_result(result)
    if made is None:
        raise InputError(f"{result.path.name} does not hold two to four stains: there is no multiplex to export.")
    if not path.name.lower().endswith(TIFF_ENDINGS):
        raise InputError(f"a multiplex is exported as OME-TIFF: end {path.name} with {' or '.join(TIFF_ENDINGS)}.")
    return made
