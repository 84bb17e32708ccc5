"""What lies in a folder of DICOM files: series of images, structure sets, and what is neither."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.files import class_of, files_in, is_dicom, is_image
from diffuscope.scans.formats.dicom.header import Header, read_header

_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
# Objects with rows and columns that are no images of the patient, by their modality.
_NO_SCAN = {"SEG": "a segmentation", "RTDOSE": "a dose", "RTIMAGE": "a planar image", "PR": "a presentation"}
_IMAGE = ("Rows", "Columns", "ImagePositionPatient", "NumberOfFrames")


@dataclass(frozen=True)
class Folder:
    """A folder of DICOM files, those that are hidden left out.

    Attributes
    ----------
    series : dict of str to list of Header
        Images by their SeriesInstanceUID.
    structures : tuple of Path
        Structure sets, even damaged ones.
    others : tuple of str
        A sentence for each file that is left out and that one might miss.
    """

    series: dict[str, list[Header]]
    structures: tuple[Path, ...]
    others: tuple[str, ...]


def read_folder(place: Path, *, deep: bool) -> Folder:
    """Sort the DICOM files of a folder, and of those inside it where `deep`.

    Raises
    ------
    InputError
        One is damaged that might be a slice, or says of no series that it belongs to.
    """
    found: dict[str, list[Header]] = {}
    structures, others = [], []
    for file in files_in(place, deep=deep):
        if not is_dicom(file):
            continue
        try:
            header = read_header(file)
        except InputError:
            if class_of(file) != _STRUCTURES:
                raise
            structures.append(file)
            continue
        modality, kind = header.text("Modality"), header.text("SOPClassUID") or class_of(file)
        if kind == _STRUCTURES or modality == "RTSTRUCT":
            structures.append(file)
        elif modality in _NO_SCAN:
            others.append(f"{file.name} is {_NO_SCAN[modality]} (DICOM {modality}), which is not read.")
        elif any(tag in header.elements for tag in _IMAGE) or is_image(kind):  # or was, and lost its end
            uid = header.text("SeriesInstanceUID")
            if not uid:
                raise header.without("SeriesInstanceUID")
            found.setdefault(uid, []).append(header)
    placed = {uid: members for uid, members in found.items() if any(map(_has_place, members))}
    if found and not placed:
        raise next(iter(found.values()))[0].without("ImagePositionPatient")
    return Folder(placed, tuple(structures), tuple(others))


def _has_place(header: Header) -> bool:
    """Whether an image says where it lies, or has frames, each of which may."""
    return "ImagePositionPatient" in header.elements or "NumberOfFrames" in header.elements
