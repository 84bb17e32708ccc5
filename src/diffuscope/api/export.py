"""The verb `export`: a result in, a file that other programs open out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from diffuscope.api.events import Exported
from diffuscope.api.forms import checked
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.exports.export import Export, check_export, write_export
from diffuscope.exports.qupath.live import send
from diffuscope.exports.text import edited_notices
from diffuscope.measurement.threshold import check_countable
from diffuscope.results.result import Result, open_result
from diffuscope.scans.qupath.live import is_live


@checked
def export(
    result: str | Path,
    path: str | Path,
    layer: str = "all",
    overwrite: bool = False,
    source: str | Path | None = None,
    anonymous: bool = False,
    qupath: bool = False,
    threshold: float | None = None,
) -> Generator[Progress | Notice | Exported, None, None]:
    """Write a finished result as a file that other programs open, by the ending of `path`.

    Everything is checked when this is called; the file is written while the returned generator is iterated.

    Parameters
    ----------
    result : str or Path
        Result folder.
    path : str or Path
        Its ending names the format, as in `diffuscope.exports.table.FORMATS`: ``….ome.tif``, of a volume ``….nii.gz``,
        a folder for QuPath ``….qupath``, a report ``….report.pdf`` or ``….report.html``, texts ``….txt``.
        ``qupath:`` writes no file: the objects are put onto the slide that a running QuPath shows.
    layer : str
        Key or name of one image, of ``….txt`` of one text, or ``"all"``.
    overwrite : bool
        Replace what is in the way.
    source : str or Path, optional
        For DICOM: the series that the run took in, whose patient, study and frame of reference are kept. For a report
        of a slide: the slide, which stands beside what was made of it.
    anonymous : bool
        Leave out what tells of the input: names of files, fingerprints, identifiers of the series, rows and texts that
        were given, the command line, notices and the time of the run.
    qupath : bool
        Write a folder for QuPath, however it is named: images, objects with outlines and measurements, and the script
        that imports them.
    threshold : float, optional
        Of a stain, for what holds objects or their numbers (OME-Zarr, QuPath, reports): the DAB above which a px counts
        as positive, OD. The file states it. Default: as the result was measured.

    Returns
    -------
    generator of Progress, Notice and Exported
        Last what was written; to a QuPath that runs, how many objects were added is told.

    Raises
    ------
    InputError
        There is no such result, layer, format or place to write, or the result is incomplete. While iterating: the
        disk is full; nothing is left behind.
    """
    opened = open_result(result)
    if is_live(path):
        if threshold is not None:
            check_countable(opened, threshold)
        if layer != "all" or overwrite or source is not None or anonymous or qupath:
            raise InputError(f"to {path} go the objects of a result alone: leave out what is said of files.")
        return _send(opened, str(path), threshold)
    return _export(
        check_export(
            opened,
            path,
            layer=layer,
            overwrite=overwrite,
            source=source,
            anonymous=anonymous,
            qupath=qupath,
            threshold=threshold,
        )
    )


def _export(checked: Export) -> Generator[Progress | Notice | Exported, None, None]:
    yield Progress(what=f"Writing {checked.path.name}")
    yield Exported(path=write_export(checked), notices=edited_notices(checked.request))


def _send(result: Result, text: str, threshold: float | None) -> Generator[Progress | Notice | Exported, None, None]:
    yield Progress(what="Adding objects in QuPath")
    yield Notice(send(result, text, threshold=threshold))
    yield Exported(path=Path(text))
