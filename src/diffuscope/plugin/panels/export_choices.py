"""What a dock offers to export: which image, in which formats, under which name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from diffuscope.exports.dicom import ENDINGS as DICOM_ENDINGS
from diffuscope.exports.itk_volume import ENDINGS as ITK_ENDINGS
from diffuscope.exports.multiplex import MULTIPLEX
from diffuscope.exports.ome_tiff import ENDINGS as TIFF_ENDINGS
from diffuscope.exports.ome_zarr import ENDINGS as ZARR_ENDINGS
from diffuscope.exports.patient import is_volume
from diffuscope.results.result import Result

ALL = "all"
_ENDINGS = (*TIFF_ENDINGS, *ZARR_ENDINGS, *ITK_ENDINGS, *DICOM_ENDINGS)


@dataclass(frozen=True)
class Format:
    """A format as file dialogs know it.

    Attributes
    ----------
    filter : str
        As the dialog lists it.
    ending : str
        Of its names.
    """

    filter: str
    ending: str


TIFF = Format("OME-TIFF pyramid (*.ome.tif)", ".ome.tif")
STACK = Format("OME-TIFF stack (*.ome.tif)", ".ome.tif")
ZARR = Format("OME-Zarr (*.ome.zarr)", ".ome.zarr")
NIFTI = Format("NIfTI (*.nii.gz)", ".nii.gz")
DICOM = Format("DICOM series, a folder (*.dicom)", ".dicom")


def default_layer(result: Result) -> str:
    """Return what is exported if nobody chooses: of a volume its main image, which every format takes; else all."""
    return result.ports[0].key if is_volume(result) else ALL


def formats(result: Result, layer: str) -> tuple[Format, ...]:
    """Return the formats that hold a layer (a key, `ALL` or the multiplex) of a result, the likeliest first."""
    if layer == MULTIPLEX:
        return (TIFF,)
    if not is_volume(result):
        return (TIFF, ZARR)
    return (ZARR, STACK) if layer == ALL and len(result.ports) > 1 else (NIFTI, DICOM, ZARR, STACK)


def note(result: Result, layer: str) -> str:
    """Say which formats are not to be had, and why; empty where all are."""
    if is_volume(result) and DICOM not in formats(result, layer):
        return "NIfTI and DICOM hold one image: choose one to export it so."
    return ""


def suggested(result: Result, layer: str) -> Path:
    """Return a name beside the result that nothing has."""
    stem = result.path.name.removesuffix(".ome.zarr") + ("" if layer == ALL else f".{layer}")
    return free_name(result.path.with_name(stem + formats(result, layer)[0].ending))


def settled(path: str, chosen: str, offered: tuple[Format, ...], suggestion: Path) -> Path:
    """Return the file that an answered dialog means.

    An ending that the user typed holds. The suggested one, or none, gives way to that of the chosen filter; what the
    dialog has not seen, and so not asked about, is not replaced but has a name that nothing has.

    Parameters
    ----------
    path, chosen : str
        As the dialog answers: file and filter.
    offered : tuple of Format
        What it listed.
    suggestion : Path
        What it proposed.
    """
    form = next((one for one in offered if one.filter == chosen), offered[0])
    if path.lower().endswith((".tif", ".tiff", ".zarr", *_ENDINGS)) and (
        Path(path) != suggestion or path.endswith(form.ending)
    ):
        return Path(path)
    ending = next((one.ending for one in offered if path.endswith(one.ending)), "")
    return free_name(Path(path.removesuffix(ending) + form.ending))


def free_name(path: Path) -> Path:
    """Return `path`, or the first of name-2, name-3, … that does not exist."""
    ending = next((one for one in _ENDINGS if path.name.endswith(one)), "")
    stem = path.name.removesuffix(ending)
    names = chain([path], (path.with_name(f"{stem}-{number}{ending}") for number in count(2)))
    return next(one for one in names if not one.exists())
