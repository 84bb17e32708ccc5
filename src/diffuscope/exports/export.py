"""A result exported: every check first, then the format's own module writes, and what it wrote is put in place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffuscope.errors import InputError
from diffuscope.exports.table import MULTIPLEX, QUPATH, Format, find_format

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class Export:
    """An export that was checked and may begin; `replaces` says that something of its kind gives way to it.

    Of a `threshold` its record states it already; what it gives is counted when the export is written.
    """

    form: Format
    path: Path
    request: Request
    replaces: bool
    threshold: float | None


def export(
    result: Result,
    path: str | Path,
    *,
    layer: str = "all",
    overwrite: bool = False,
    allow_incomplete: bool = False,
    source: str | Path | None = None,
    anonymous: bool = False,
    qupath: bool = False,
    threshold: float | None = None,
) -> Path:
    """Write a result as the format that the ending of `path` names (see `diffuscope.exports.table.FORMATS`).

    Parameters
    ----------
    result : Result
        As opened by `diffuscope.results.result.open_result`.
    path : str or Path
        File or folder to write.
    layer : str
        Key or name of one image, of ``….txt`` of one text, ``"all"``, or ``"multiplex"``: the stains of a result that
        has several, in one picture (see `diffuscope.stains.multiplex`). Formats of one image take ``"all"`` of a result
        that has one.
    overwrite : bool
        Replace what stands there: a file by a file, a Diffuscope result by OME-Zarr, an export for QuPath by another.
        Nothing else is ever replaced.
    allow_incomplete : bool
        Export a result whose run did not end; formats that can say that it is incomplete.
    source : str or Path, optional
        The DICOM series that the run took in, for a DICOM export of the same patient and study; the slide, for a
        report that shows it.
    anonymous : bool
        Leave out what tells of the input (see `diffuscope.exports.anonymous`).
    qupath : bool
        Write a folder for QuPath (`diffuscope.exports.qupath`), however it is named.
    threshold : float, optional
        Of a stain: the DAB above which a px counts as positive, OD; objects and numbers are those that it gives, and
        the record states it. Default: as the result was measured.

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
    return write_export(
        check_export(
            result,
            path,
            layer=layer,
            overwrite=overwrite,
            allow_incomplete=allow_incomplete,
            source=source,
            anonymous=anonymous,
            qupath=qupath,
            threshold=threshold,
        )
    )


def check_export(
    result: Result,
    path: str | Path,
    *,
    layer: str = "all",
    overwrite: bool = False,
    allow_incomplete: bool = False,
    source: str | Path | None = None,
    anonymous: bool = False,
    qupath: bool = False,
    threshold: float | None = None,
) -> Export:
    """Check all that can be checked of an export before it begins (see `export`)."""
    # Imported here: the table must be had without them.
    from diffuscope.exports.anonymous import without_names
    from diffuscope.exports.multiplex import multiplex_result
    from diffuscope.exports.request import Request, check_one_image, choose_ports
    from diffuscope.exports.text import choose_texts
    from diffuscope.files.links import check_inside
    from diffuscope.files.place import FILE, FOLDER, check_place
    from diffuscope.files.room import check_room
    from diffuscope.measurement.threshold import check_countable, with_threshold
    from diffuscope.results.own import check_no_input
    from diffuscope.results.result import RESULT
    from diffuscope.scans.formats.libraries import check_libraries

    path = Path(path)
    check_inside(result.path)
    if not (result.images or result.scores or result.texts):
        raise InputError(f"{result.path.name} holds no image to export: its rows lie in its folder.")
    form = find_format(result, path.name, of_ending=QUPATH if qupath else None)
    shown = result if layer != MULTIPLEX else multiplex_result(result)
    if shown is None:
        raise InputError(f"{result.path.name} does not hold two to four stains: there is no multiplex to export.")
    if form.copies and layer == MULTIPLEX:
        raise InputError(f"a multiplex is exported as OME-TIFF: end {path.name} with .ome.tif.")
    if source is not None and not (form.keeps_source or form.shows_source):
        raise InputError(f"{path.name} keeps nothing of a DICOM source: leave out --source, or end it with .dicom.")
    texts = choose_texts(result, layer) if form.of == "text" else tuple(result.texts) if form.tells_texts else ()
    # By the names that the user sees, before they go.
    chosen = choose_ports(shown, layer) if form.of != "text" else ()
    shown = without_names(shown) if anonymous else shown
    ports = tuple(port for port in shown.ports if port.key in {one.key for one in chosen})
    if source is not None and anonymous and form.keeps_source:
        raise InputError("--source keeps patient and study, and --anonymous leaves them out: give one of the two.")
    if form.one_image:
        check_one_image(shown, ports, path.name)
    if form.of_extra:
        check_libraries(path.name)
    if not result.complete and not allow_incomplete:
        raise InputError(
            f"{result.path.name} is incomplete ({result.done} of {result.tiles} {result.unit}) and is not exported: "
            "run it to the end first."
        )
    if threshold is not None:
        check_countable(result, threshold)
        if not form.counts:
            raise InputError(f"{path.name} holds nothing that is counted: leave the threshold out.")
        shown = replace(shown, record=with_threshold(shown.record, threshold))
    request = Request(
        result=shown,
        ports=ports,
        texts=texts,
        source=Path(source) if source is not None else None,
        is_anonymous=anonymous,
    )
    kind = FILE if not form.is_folder else RESULT if form.copies else getattr(_module(form), "KIND", FOLDER)
    never = f"choose another name: a {form.name} is never overwritten" if kind is FOLDER else None
    read = [result.path, *([request.source] if request.source is not None else [])]
    standing = check_place(
        path, kind, overwrite=overwrite and kind is not FOLDER, keep=read, outside=read, way_out=never
    )
    check_no_input(path, result.record)
    check_room(path, _module(form).need(request))
    return Export(form=form, path=path, request=request, replaces=standing == "replaced", threshold=threshold)


def write_export(checked: Export) -> Path:
    """Write an export that was checked, and return its path.

    Raises
    ------
    InputError
        It could not be written; nothing is left behind.
    """
    from diffuscope.files.put import in_place_of

    request = checked.request if checked.threshold is None else _counted_anew(checked, checked.threshold)
    with in_place_of(checked.path, replace=checked.replaces) as part:
        _module(checked.form).write(part, request)
    return checked.path


def _counted_anew(checked: Export, threshold: float) -> Request:
    """Return what is exported with the table of another threshold, of which there may be more to write."""
    from diffuscope.files.room import check_room
    from diffuscope.measurement.measurements import measured_at
    from diffuscope.results.result import open_result

    result = checked.request.result
    # As it lies on disk: a multiplex in its place has no map to measure in.
    table = measured_at(open_result(result.path), threshold).table
    request = replace(checked.request, result=replace(result, table=table))
    check_room(checked.path, _module(checked.form).need(request))
    return request


def _module(form: Format) -> Any:
    return import_module(f"diffuscope.exports.{form.module}")
