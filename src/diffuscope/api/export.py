"""The verb `export`: a result in, a file that other programs open out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from diffuscope.api.events import Exported
from diffuscope.events import Progress
from diffuscope.exports import export as write_export
from diffuscope.files.room import full_disk_in_words
from diffuscope.results.result import Result, open_result


def export(
    result: str | Path,
    path: str | Path,
    layer: str = "all",
    overwrite: bool = False,
    source: str | Path | None = None,
) -> Generator[Progress | Exported, None, None]:
    """Write a finished result as OME-TIFF or OME-Zarr, of a volume also as NIfTI or DICOM, by the ending of `path`.

    The result is opened when this is called; the file is written while the returned generator is iterated.

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
    generator of Progress and Exported
        Last what was written.

    Raises
    ------
    InputError
        There is no such result. While iterating: there is no such layer, format or place to write, the result is
        incomplete, or the disk is full; nothing is left behind.
    """
    return _export(open_result(result), Path(path), layer=layer, overwrite=overwrite, source=source)


def _export(
    result: Result, path: Path, *, layer: str, overwrite: bool, source: str | Path | None
) -> Generator[Progress | Exported, None, None]:
    yield Progress(what=f"Writing {path.name}")
    with full_disk_in_words(path):
        written = write_export(result, path, layer=layer, overwrite=overwrite, source=source)
    yield Exported(path=written)
