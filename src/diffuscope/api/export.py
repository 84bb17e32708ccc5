"""The verb `export`: a result in, a file that other programs open out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from diffuscope.api.events import Exported
from diffuscope.events import Progress
from diffuscope.exports.export import Export, check_export, write_export
from diffuscope.results.result import open_result


def export(
    result: str | Path,
    path: str | Path,
    layer: str = "all",
    overwrite: bool = False,
    source: str | Path | None = None,
    anonymous: bool = False,
    qupath: bool = False,
) -> Generator[Progress | Exported, None, None]:
    """Write a finished result as a file that other programs open, by the ending of `path`.

    Everything is checked when this is called; the file is written while the returned generator is iterated.

    Parameters
    ----------
    result : str or Path
        Result folder.
    path : str or Path
        Its ending names the format, as in `diffuscope.exports.table.FORMATS`: ``….ome.tif``, of a volume ``….nii.gz``,
        a folder for QuPath ``….qupath``, a report of a score ``….pdf`` or ``….html``, texts ``….txt``.
    layer : str
        Key or name of one image, of ``….txt`` of one text, or ``"all"``.
    overwrite : bool
        Replace what is in the way.
    source : str or Path, optional
        For DICOM: the series that the run took in, whose patient, study and frame of reference are kept.
    anonymous : bool
        Leave out what tells of the input: names of files, fingerprints, identifiers of the series, rows and texts that
        were given, the command line, notices and the time of the run.
    qupath : bool
        Write a folder for QuPath, however it is named: images, objects with outlines and measurements, and the script
        that imports them.

    Returns
    -------
    generator of Progress and Exported
        Last what was written.

    Raises
    ------
    InputError
        There is no such result, layer, format or place to write, or the result is incomplete. While iterating: the
        disk is full; nothing is left behind.
    """
    return _export(
        check_export(
            open_result(result),
            path,
            layer=layer,
            overwrite=overwrite,
            source=source,
            anonymous=anonymous,
            qupath=qupath,
        )
    )


def _export(checked: Export) -> Generator[Progress | Exported, None, None]:
    yield Progress(what=f"Writing {checked.path.name}")
    yield Exported(path=write_export(checked))
