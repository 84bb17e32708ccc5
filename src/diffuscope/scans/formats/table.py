"""The formats that are read, a row each: a new one is its file, and a row here.

Where napari shall open it by its name too, napari.yaml needs its pattern, as a test says that holds that to `SHOWN`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from diffuscope.scans.contents import Contents, VolumeContents
from diffuscope.scans.formats.dicom.files import begins_as_dicom, holds_dicom
from diffuscope.scans.formats.dicom.series import read_dicom
from diffuscope.scans.formats.dicom.slides.instance import begins_as_slide
from diffuscope.scans.formats.dicom.slides.slide import BEGINNING, holds_slide, read_slide
from diffuscope.scans.formats.libraries import EXTRA_OF_SLIDES, EXTRA_OF_VOLUMES, OF_OPENSLIDE, OF_SLIDEIO, OF_VOLUMES
from diffuscope.scans.formats.ome_zarr import is_zarr, read_ome_zarr
from diffuscope.scans.formats.picture import read_picture
from diffuscope.scans.formats.scanners.by_openslide import read_by_openslide
from diffuscope.scans.formats.scanners.by_slideio import read_by_slideio
from diffuscope.scans.formats.tiff import read_tiff
from diffuscope.scans.formats.volumes.metaimage import read_metaimage
from diffuscope.scans.formats.volumes.nifti import read_nifti
from diffuscope.scans.formats.volumes.nrrd import read_nrrd

Found = TypeVar("Found", Contents, VolumeContents)


@dataclass(frozen=True, kw_only=True)
class Format(Generic[Found]):
    """A row of the table.

    Attributes
    ----------
    name : str
        As messages call it.
    open : callable
        Returns what the file or folder of a path holds.
    endings : tuple of str
        Of the names of its files or folders, lower case.
    magic : tuple of bytes
        Of which one stands at the start of its files; empty: the ending alone tells them.
    begins : callable or None
        Whether the first bytes of a file are of this format, where no `magic` tells.
    is_folder : callable or None
        Whether a folder is in this format; None where it has files only.
    is_series : bool
        Whether a file is one of many, and their folder the image.
    is_plain : bool
        Whether every viewer opens it, so that napari's reader leaves it to napari.
    libraries : tuple of str
        That it needs besides those that Diffuscope always has.
    extra : str
        Of Diffuscope, that installs them.
    """

    name: str
    open: Callable[[Path], Found]
    endings: tuple[str, ...]
    magic: tuple[bytes, ...] = ()
    begins: Callable[[bytes], bool] | None = None
    is_folder: Callable[[Path], bool] | None = None
    is_series: bool = False
    is_plain: bool = False
    libraries: tuple[str, ...] = ()
    extra: str = ""

    def holds(self, path: Path, start: bytes) -> bool:
        """Whether a path is in this format, by its `first_bytes` or its name; it may still turn out to be damaged."""
        if path.is_dir():
            return self.is_folder is not None and self.is_folder(path)
        if self.magic or self.begins:
            return start.startswith(self.magic) or (self.begins is not None and self.begins(start))
        return path.is_file() and path.name.lower().endswith(self.endings)


_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


# How the header of a NIfTI begins: its own length, in either order of bytes.
_NIFTI = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))

#: What becomes a `diffuscope.scans.Scan`.
SLIDES: tuple[Format[Contents], ...] = (
    # Before TIFF and JPEG: their main files are such, of an overview, which would open as if it were all there is.
    *(
        Format(name=name, open=read_by_openslide, endings=endings, libraries=OF_OPENSLIDE, extra=EXTRA_OF_SLIDES)
        for name, endings in (("MIRAX", (".mrxs",)), ("Hamamatsu VMS", (".vms", ".vmu")))
    ),
    *(
        Format(name=name, open=read_by_slideio, endings=endings, libraries=OF_SLIDEIO, extra=EXTRA_OF_SLIDES)
        for name, endings in (("Olympus VSI", (".vsi",)), ("Zeiss CZI", (".czi",)))
    ),
    Format(name="SVS", open=read_tiff, endings=(".svs",), magic=_TIFF),
    Format(name="TIFF", open=read_tiff, endings=(".tif", ".tiff"), magic=_TIFF),
    Format(name="NDPI", open=read_tiff, endings=(".ndpi",), magic=_TIFF),
    Format(name="SCN", open=read_tiff, endings=(".scn",), magic=_TIFF),
    Format(name="QPTIFF", open=read_tiff, endings=(".qptiff",), magic=_TIFF),
    Format(name="BIF", open=read_tiff, endings=(".bif",), magic=_TIFF),
    Format(name="OME-TIFF", open=read_tiff, endings=(".ome.tif", ".ome.tiff"), magic=_TIFF),
    Format(
        name="DICOM slide",
        open=read_slide,
        endings=(".dcm",),
        begins=begins_as_slide,
        is_folder=lambda folder: not is_zarr(folder) and holds_slide(folder),
        is_series=True,
    ),
    Format(name="OME-Zarr", open=read_ome_zarr, endings=(".zarr", ".ome.zarr"), is_folder=is_zarr),
    Format(
        name="PNG",
        open=partial(read_picture, kind="PNG"),
        endings=(".png",),
        magic=(b"\x89PNG\r\n\x1a\n",),
        is_plain=True,
    ),
    Format(
        name="JPEG",
        open=partial(read_picture, kind="JPEG"),
        endings=(".jpg", ".jpeg"),
        magic=(b"\xff\xd8\xff",),
        is_plain=True,
    ),
)
#: What becomes a `diffuscope.scans.Volume`.
VOLUMES: tuple[Format[VolumeContents], ...] = (
    Format(name="NIfTI", open=read_nifti, endings=(".nii", ".nii.gz")),
    Format(name="NIfTI header", open=read_nifti, endings=(".hdr",), magic=_NIFTI),
    Format(name="NRRD", open=read_nrrd, endings=(".nrrd", ".nhdr")),
    Format(name="MetaImage", open=read_metaimage, endings=(".mha", ".mhd")),
    Format(
        name="DICOM",
        open=read_dicom,
        endings=(".dcm",),
        begins=lambda start: begins_as_dicom(start) and not begins_as_slide(start),
        is_folder=lambda folder: not is_zarr(folder) and holds_dicom(folder) and not holds_slide(folder),
        is_series=True,
        libraries=OF_VOLUMES,
        extra=EXTRA_OF_VOLUMES,
    ),
)
_ROWS: tuple[Format[Any], ...] = (*SLIDES, *VOLUMES)
#: Endings of what is one image by itself, the longer first, so that the first that fits is all of it.
ENDINGS = tuple(sorted((end for row in _ROWS if not row.is_series for end in row.endings), key=len, reverse=True))
#: Endings of what napari's reader opens; napari.yaml has a pattern for each.
SHOWN = tuple(end for row in _ROWS if not row.is_plain for end in row.endings)


def find_format(path: Path, formats: Iterable[Format[Found]]) -> Format[Found] | None:
    """Return the format of a path among `SLIDES` or `VOLUMES`; None where it is none of them, or not there."""
    try:
        start = first_bytes(path) if path.is_file() else b""
    except OSError:
        start = b""
    return next((row for row in formats if row.holds(path, start)), None)


def first_bytes(path: Path) -> bytes:
    """Return the beginning of a file, which holds every `Format.magic`."""
    with path.open("rb") as file:
        return file.read(BEGINNING)


def ending_of(name: str) -> str:
    """Return what a name ends with of `ENDINGS`, as it is written there; empty where it has none of them."""
    return next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")


def stem(name: str) -> str:
    """Return a name without its ending."""
    return name[: len(name) - len(ending_of(name))]


def listed(words: Iterable[str]) -> str:
    """Return words as a sentence lists them: a, b or c."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
