"""The verb `export`: a result in, a file that other programs open out."""

from __future__ import annotations

from pathlib import Path

from diffuscope.exports import export as write_export
from diffuscope.files.room import full_disk_in_words
from diffuscope.results.result import open_result


def export(
    result: str | Path,
    path: str | Path,
    layer: str = "all",
    overwrite: bool = False,
    source: str | Path | None = None,
) -> Path:
    """Write a finished result as OME-TIFF or OME-Zarr, of a volume also as NIfTI or DICOM, by the ending of `path`.

    Parameters
    ----------
    result : str or Path
        Result folder.
    path : str or Path
        ``….ome.tif`` or ``….ome.zarr``; of a volume also ``….nii.gz``, ``….nii``, ``….nrrd``, ``….mha``, ``….dicom``.
    layer : str
        Key or name of one image, or ``"all"``.
    overwrite : bool
        Replace what is in the way.
    source : str or Path, optional
        For DICOM: the series that the run took in, whose patient, study and frame of reference are kept.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        No such result, layer, format or place to write; the result is incomplete; the disk is full.
    """
    with full_disk_in_words(Path(path)):
        return write_export(open_result(result), path, layer=layer, overwrite=overwrite, source=source)
