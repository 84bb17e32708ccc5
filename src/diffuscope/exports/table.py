"""The formats that results are exported as: a row each. A new one is a module beside this, and its row here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from diffuscope.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from diffuscope.results.result import Result

#: Layers that are no output port: every image, and the stains of a slide in one picture.
ALL, MULTIPLEX = "all", "multiplex"
#: Ending of a folder for QuPath.
QUPATH = ".qupath"
#: Ending of a report of a slide.
REPORT = ".report.pdf"
#: Ending of a result.
RESULT_ENDING = ".ome.zarr"
_SAID = {"case": "a report of a score", "text": "a text"}


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format to export as.

    Attributes
    ----------
    name : str
        As users know it.
    endings : tuple of str
        Of its names, lower case, the usual one first.
    module : str
        Beside this one, with ``need(request)``, which returns an upper estimate of its bytes, and
        ``write(part, request)``, which writes the file or folder `part`, that does not exist yet; the request is a
        `diffuscope.exports.request.Request`. A folder that may be replaced by another of its kind has that as ``KIND``
        (`diffuscope.files.place.Kind`). It is imported when it is used.
    of : {"slide", "volume", "case", "text"} or None
        What it holds; ``"case"``: the score of a case, whatever images there are; ``"text"``: texts; None: slides and
        volumes.
    is_folder : bool
        Whether it is a folder. Of those only Diffuscope's own results and what has a ``KIND`` are ever replaced.
    one_image : bool
        Whether it holds a single image of one channel.
    of_colours : bool
        Whether it holds a single image of red, green and blue.
    copies : bool
        Whether it copies what lies on disk, and so cannot hold what is computed where it is read, as the multiplex.
    keeps_source : bool
        Whether it can keep what the file that the run took in says.
    shows_source : bool
        Whether it shows the file that the run took in, where that is given.
    tells_texts : bool
        Whether it holds the texts of a result beside its images.
    counts : bool
        Whether it holds what of a stain counts as positive: objects, or their numbers.
    of_extra : bool
        Whether it takes the libraries of the extra for volumes.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    of: Literal["slide", "volume", "case", "text"] | None = None
    is_folder: bool = False
    one_image: bool = False
    of_colours: bool = False
    copies: bool = False
    keeps_source: bool = False
    shows_source: bool = False
    tells_texts: bool = False
    counts: bool = False
    of_extra: bool = False

    def takes(self, result: Result) -> bool:
        """Whether it is for results of this kind."""
        if self.of == "case":
            return bool(result.scores)
        if self.of == "text":
            return bool(result.texts)
        return bool(result.images) and self.of in {None, result.place.what}

    def holds(self, result: Result, layer: str) -> bool:
        """Whether it can hold a layer (a port's key, `ALL` or `MULTIPLEX`) of a result."""
        if self.of == "text":
            return self.takes(result) and (layer == ALL or layer in result.texts)
        many = layer == ALL and len(result.ports) > 1
        chosen = [port for port in result.ports if layer in (port.key, ALL)]
        if self.of_colours and layer != MULTIPLEX and [port.kind for port in chosen] != ["rgb"]:
            return False
        return self.takes(result) and not (self.one_image and many) and not (self.copies and layer == MULTIPLEX)


#: The likeliest first, of cases, slides, volumes and texts.
FORMATS = (
    Format(name="Report, PDF", endings=(".pdf", REPORT), module="report.pdf", of="case"),
    Format(name="Report, HTML", endings=(".html", ".report.html"), module="report.html", of="case"),
    Format(name="OME-TIFF pyramid", endings=(".ome.tif", ".ome.tiff"), module="ome_tiff", of="slide"),
    Format(
        name="Folder for QuPath", endings=(QUPATH,), module="qupath.folder", of="slide", is_folder=True, counts=True
    ),
    Format(
        name="Report, PDF",
        endings=(REPORT, ".pdf"),
        module="report.slide_pdf",
        of="slide",
        shows_source=True,
        tells_texts=True,
        counts=True,
    ),
    Format(
        name="Report, HTML",
        endings=(".report.html", ".html"),
        module="report.slide_html",
        of="slide",
        shows_source=True,
        tells_texts=True,
        counts=True,
    ),
    Format(name="NIfTI", endings=(".nii.gz", ".nii"), module="nifti", of="volume", one_image=True),
    Format(name="NRRD", endings=(".nrrd",), module="itk_volume", of="volume", one_image=True, of_extra=True),
    Format(name="MetaImage", endings=(".mha",), module="itk_volume", of="volume", one_image=True, of_extra=True),
    Format(
        name="DICOM series",
        endings=(".dicom",),
        module="dicom",
        of="volume",
        is_folder=True,
        one_image=True,
        keeps_source=True,
        of_extra=True,
    ),
    Format(name="OME-Zarr", endings=(RESULT_ENDING,), module="ome_zarr", is_folder=True, copies=True, counts=True),
    Format(name="OME-TIFF stack", endings=(".ome.tif", ".ome.tiff"), module="ome_stack", of="volume"),
    Format(name="OME-Zarr 0.5", endings=(".v05.ome.zarr",), module="ngff.v05", is_folder=True, counts=True),
    Format(name="OME-TIFF, colours as JPEG (lossy)", endings=(".jpeg.ome.tif",), module="lossy.jpeg", of="slide"),
    Format(name="OME-TIFF, colours as JPEG XL (lossy)", endings=(".jxl.ome.tif",), module="lossy.jpeg_xl", of="slide"),
    Format(name="DICOM slide", endings=(".dicom",), module="dicom_slide", of="slide", is_folder=True, of_colours=True),
    Format(name="Picture, PNG", endings=(".png", ".view.png"), module="view.png", of="slide"),
    Format(name="Picture, PDF", endings=(".view.pdf",), module="view.pdf", of="slide"),
    Format(name="Text", endings=(".txt",), module="text", of="text"),
)


def endings(of: str | None = None) -> tuple[str, ...]:
    """Return the endings of the formats that hold slides, volumes, what is said of a case, or texts; or of all."""
    meant = {of} if of in ("case", "text") else {None, of}
    return tuple(ending for form in FORMATS if of is None or form.of in meant for ending in form.endings)


def formats_of(result: Result, layer: str) -> tuple[Format, ...]:
    """Return the formats that hold a layer (a port's key, `ALL` or `MULTIPLEX`) of a result, the likeliest first."""
    return tuple(form for form in FORMATS if form.holds(result, layer))


def formats_named(name: str) -> tuple[Format, ...]:
    """Return the formats whose ending a name has, those of its longest ending alone: .jpeg.ome.tif is no .ome.tif."""
    lower = name.lower()
    longest = max((ending for ending in endings() if lower.endswith(ending)), key=len, default=None)
    return tuple(form for form in FORMATS if longest in form.endings)


def check_names_result(path: Path, *, ending: str = RESULT_ENDING) -> None:
    """Refuse for a new result, which is a folder, a name that says it is a file of pixels or an export.

    Parameters
    ----------
    path : Path
        Where it is to be written; what is there already was named before.
    ending : str
        That it should have instead.

    Raises
    ------
    InputError
        It ends like a format that is read or written, and not like a result.
    """
    from diffuscope.scans.formats.table import ENDINGS  # which need the readers

    lower = path.name.lower()
    known = sorted({*endings(), *ENDINGS}, key=len, reverse=True)
    found = next((one for one in known if lower.endswith(one)), None)
    if found in {None, RESULT_ENDING, ".zarr"} or os.path.lexists(path):
        return
    name = path.name[: -len(found)]
    raise InputError(
        f"{path.name} would be a folder of results, and no {found}: call it {name}{ending}; `diffuscope export` makes "
        "files of a result."
    )


def find_format(result: Result, name: str, *, of_ending: str | None = None) -> Format:
    """Return the format that a file's name means for a result, or that `of_ending` means whatever its name.

    Raises
    ------
    InputError
        Its ending names none, or one for other results.
    """
    meant = formats_named(of_ending or name)
    for form in meant:
        if form.takes(result):
            return form
    known = ", ".join(ending for form in FORMATS if form.takes(result) for ending in form.endings)
    if meant and meant[0].of in _SAID:
        raise InputError(f"{name} would be {_SAID[meant[0].of]}, and the result has none: end it with one of {known}.")
    if meant and not result.images:
        raise InputError(f"{name} would hold an image, and the result holds no image: end it with one of {known}.")
    if meant:
        kinds = f"would be a {meant[0].of}, but the result is of a {result.place.what}"
        raise InputError(f"{name} {kinds}: end it with one of {known}.")
    raise InputError(f"{name} has no ending that names a format to export: end it with one of {known}.")
