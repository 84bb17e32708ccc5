"""DICOM series: which files belong together, whether none is missing, and where their slices lie."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.contents import VolumeContents
from diffuscope.scans.formats import itk
from diffuscope.scans.lattice import Lattice

if TYPE_CHECKING:
    from pydicom import Dataset

#: What a file has after so many bytes of its maker's.
MAGIC, PREAMBLE = b"DICM", 128

# Distances of slices and places beside the axis may differ by this part of a voxel: scanners round to a few digits.
_EVEN = 0.02

# A folder that someone drops into the window is not searched for minutes.
_LOOKED_AT = 2000

_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "SeriesNumber",
    "Modality",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
]


@dataclass(frozen=True)
class Series:
    """One DICOM series of images.

    Attributes
    ----------
    uid, modality, description : str
        SeriesInstanceUID, e.g. ``"CT"``, and what the scanner called it.
    files : tuple of Path
        In the order of their slices along the normal.
    lattice : Lattice
        In this order.
    exact : bool
        Whether all have the same whole numbers as rescale slope and intercept.
    """

    uid: str
    modality: str
    description: str
    files: tuple[Path, ...]
    lattice: Lattice
    exact: bool


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with path.open("rb") as file:
            return file.read(PREAMBLE + len(MAGIC))[PREAMBLE:] == MAGIC
    except OSError:
        return False


def holds_dicom(folder: Path) -> bool:
    """Whether a folder, or one inside it, has a DICOM file; of a very large one only the first files are looked at."""
    return any(is_dicom(file) for file in islice(_files(folder), _LOOKED_AT))


def read_dicom(path: Path) -> VolumeContents:
    """Contents of a DICOM series: its headers now, its voxels when they are asked for.

    Parameters
    ----------
    path : Path
        A folder, or any file of the series.

    Raises
    ------
    InputError
        As `read_series` does.
    """
    series = read_series(path)
    return VolumeContents(
        format=f"DICOM {series.modality}".strip(),
        lattice=series.lattice,
        dtype=itk.series_dtype(series.files[0], exact=series.exact),
        load=partial(itk.read_series, series.files, exact=series.exact),
        files=series.files,
        channel=series.description or series.modality or "intensity",
        series=series,
    )


def read_series(path: Path) -> Series:
    """Find the series of a folder, or the one that a file belongs to, from the headers alone.

    Parameters
    ----------
    path : Path
        A folder, those inside it included, with one series of images; or any file of a series, whose others lie
        beside it.

    Raises
    ------
    InputError
        There is none, or more than one to choose from; slices are missing, twice there, of different sizes or tilted;
        the files are of a kind that is no stack of slices.
    """
    folder = path if path.is_dir() else path.parent
    found: dict[str, list[tuple[Path, Dataset]]] = {}
    for file, header in _headers(folder if path.is_dir() else path.parent, deep=path.is_dir()):
        if "ImagePositionPatient" in header or "NumberOfFrames" in header:
            found.setdefault(str(header.SeriesInstanceUID), []).append((file, header))
    if path.is_file():
        found = {uid: members for uid, members in found.items() if path in (file for file, _ in members)}
        if not found:
            raise InputError(
                f"{path.name} is a DICOM file, but no slice of a volume; give a folder with a series of slices."
            )
    if not found:
        raise InputError(f"{folder.name} holds DICOM files, but no series of slices with a place in the patient.")
    if len(found) > 1:
        listed = "; ".join(_listed(folder, members) for members in found.values())
        raise InputError(
            f"{folder.name} holds {len(found)} series: {listed}. Give one file of the series to open, or its folder."
        )
    [members] = found.values()
    return _series(folder.name, members)


def _files(folder: Path, *, deep: bool = True) -> Iterator[Path]:
    """Yield the files of a folder in order of their names; hidden ones are not looked at."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".")) if deep else []
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


def _headers(folder: Path, *, deep: bool) -> Iterator[tuple[Path, Dataset]]:
    import pydicom

    for file in _files(folder, deep=deep):
        if is_dicom(file):
            try:
                yield file, pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS))
            except Exception as error:  # pydicom raises what it likes on a damaged file
                raise InputError(
                    f"{file.name} is a damaged DICOM file ({type(error).__name__}); copy it again."
                ) from error


def _listed(folder: Path, members: list[tuple[Path, Dataset]]) -> str:
    file, header = members[0]
    said = f" “{header.SeriesDescription}”" if header.get("SeriesDescription") else ""
    return f"{header.get('Modality', '?')}{said}, {len(members)} slices ({file.relative_to(folder).as_posix()})"


def _series(name: str, members: list[tuple[Path, Dataset]]) -> Series:
    first = members[0][1]
    if first.get("Modality") == "SM":
        raise InputError(f"{name} is a DICOM whole-slide image, which is not read; convert it to OME-TIFF.")
    if any(int(header.get("NumberOfFrames") or 1) > 1 for _, header in members):
        raise InputError(f"{name} is a DICOM file of several frames; export it as one file a slice.")
    if any(int(header.get("SamplesPerPixel", 1)) > 1 for _, header in members):
        raise InputError(f"{name} is a DICOM series of colour images, which no volume model reads.")
    for tag in ("Rows", "Columns", "ImageOrientationPatient", "PixelSpacing"):
        if any(tag not in header for _, header in members):
            raise InputError(f"{name} has slices that do not say their {tag}; export the series again.")
        values = np.array([np.ravel(header[tag].value) for _, header in members], float)
        if np.ptp(values, axis=0).max() > 1e-3:
            raise InputError(
                f"{name} has slices of different {tag} in one series (a localizer among them?); keep the stack alone."
            )
    # The cosines are of the directions in which columns and rows count up; the normal is right-handed to them.
    along_x, along_y = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(along_x, along_y)
    corners = np.array([header.ImagePositionPatient for _, header in members], float)
    heights = corners @ normal
    order = np.argsort(heights, kind="stable")
    height, width = (float(step) for step in first.PixelSpacing)
    depth = _distance(name, members, heights, order) or float(first.get("SliceThickness") or 1.0)
    bent = corners - corners[order[0]] - np.outer(heights - heights[order[0]], normal)
    if np.linalg.norm(bent, axis=1).max() > _EVEN * min(height, width) * max(1, len(members) ** 0.5):
        raise InputError(
            f"{name} was scanned with a tilted gantry: its slices are not above each other; resample it first."
        )
    rescaling = {
        (float(header.get("RescaleSlope", 1) or 1), float(header.get("RescaleIntercept", 0) or 0))
        for _, header in members
    }
    x, y, z = corners[order[0]]
    lattice = Lattice(
        (len(members), int(first.Rows), int(first.Columns)),
        (depth, height, width),
        (float(x), float(y), float(z)),
        (_vector(normal), _vector(along_y), _vector(along_x)),
    )
    return Series(
        uid=str(first.SeriesInstanceUID),
        modality=str(first.get("Modality", "")),
        description=str(first.get("SeriesDescription", "")),
        files=tuple(members[i][0] for i in order),
        lattice=lattice,
        exact=len(rescaling) == 1 and all(number.is_integer() for number in next(iter(rescaling))),
    )


def _distance(name: str, members: list[tuple[Path, Dataset]], heights: np.ndarray, order: np.ndarray) -> float:
    """Return the distance of neighbouring slices in mm; 0 for one slice alone."""
    steps = np.diff(heights[order])
    if not len(steps):
        return 0.0
    # The commonest distance, so that one gap, which may be wider than all others together, does not hide it.
    usual = Counter(np.round(steps, 2)).most_common(1)[0][0]
    if steps.min() <= _EVEN * max(usual, 1e-3):
        number = order[int(np.argmin(steps))]
        raise InputError(
            f"{name} has two slices in one place ({members[number][0].name} and another): it holds several times or "
            "echoes, of which a series of its own is needed."
        )
    own = float(np.mean(steps[np.abs(steps - usual) <= 0.01 + _EVEN * usual])) if usual > 0 else 0.0
    uneven = np.flatnonzero(np.abs(steps - own) > _EVEN * own + 2e-3)
    if len(uneven):
        gap = int(uneven[0])
        before, after = (members[order[gap + i]][0].name for i in (0, 1))
        missing = round(steps[gap] / own) - 1
        what = (
            f"lacks {missing} slice(s) between {before} and {after}"
            if missing > 0 and abs(steps[gap] / own - missing - 1) < 0.1
            else f"has slices at uneven distances ({steps[gap]:.3g} mm after {before}, elsewhere {own:.3g} mm)"
        )
        raise InputError(f"{name} {what}; export the whole series again.")
    return float(np.mean(steps))


def _vector(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
