"""DICOM series: which files belong together, and what they are when they are put together."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.contents import VolumeContents
from diffuscope.scans.formats.dicom.files import quiet
from diffuscope.scans.formats.dicom.folder import Folder, read_folder
from diffuscope.scans.formats.dicom.geometry import stack
from diffuscope.scans.formats.dicom.header import Header
from diffuscope.scans.formats.dicom.pixels import check_pixels, read_stored, read_values
from diffuscope.scans.formats.dicom.slices import Slice, read_slice
from diffuscope.scans.formats.dicom.values import check_values, value_dtype
from diffuscope.scans.formats.generated import generated_notice
from diffuscope.scans.lattice import Lattice


@dataclass(frozen=True, kw_only=True)
class Series:
    """One DICOM series of images.

    Attributes
    ----------
    uid, modality, description : str
        SeriesInstanceUID, e.g. ``"CT"``, and what the scanner called it.
    frame : str
        FrameOfReferenceUID; empty where the files do not say.
    slices : tuple of Slice
        In the order of their places along the normal.
    lattice : Lattice
        In this order.
    structures : tuple of Path
        Structure sets that lie in the same folder, whatever they were drawn on.
    notices : tuple of str
        What a user should know, one sentence each.
    """

    uid: str
    modality: str
    description: str
    frame: str
    slices: tuple[Slice, ...]
    lattice: Lattice
    structures: tuple[Path, ...]
    notices: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Of the slices."""
        return tuple(one.path for one in self.slices)


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
    dtype = value_dtype(series.slices)
    return VolumeContents(
        format=f"DICOM {series.modality}".strip(),
        lattice=series.lattice,
        dtype=dtype,
        load=partial(read_values, series.slices, dtype),
        files=series.files,
        channel=series.description or series.modality or "intensity",
        notices=series.notices,
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
        There is none, or more than one to choose from; a header lacks what must be known; slices are missing, twice
        there, of different sizes or tilted; the files are of a kind that is no stack of slices.
    """
    with quiet():
        return _read(path)


def _read(path: Path) -> Series:
    place = path if path.is_dir() else path.parent
    folder = read_folder(place, deep=path.is_dir())
    found = folder.series
    if path.is_file():
        found = {uid: members for uid, members in found.items() if path in (one.path for one in members)}
        if not found:
            raise InputError(
                f"{path.name} is a DICOM file, but no slice of a volume; give a folder with a series of slices."
            )
    if not found and folder.structures:
        one = folder.structures[0].name
        raise InputError(f"{place.name} holds {one}, an RTSTRUCT, and no series of slices: give that file as outlines.")
    if not found:
        beside = f" ({folder.others[0]})" if folder.others else ""
        raise InputError(
            f"{place.name} holds DICOM files, but no series of slices with a place in the patient{beside}."
        )
    if len(found) > 1:
        listed = "; ".join(_listed(place, members) for members in found.values())
        raise InputError(
            f"{place.name} holds {len(found)} series: {listed}. Give one file of the series to open, or its folder."
        )
    [(uid, members)] = found.items()
    return _series(place.name, uid, members, folder if path.is_dir() else None)


def _listed(place: Path, members: Sequence[Header]) -> str:
    first = members[0]
    said = f" “{words}”" if (words := first.words("SeriesDescription")) else ""
    where = first.path.relative_to(place).as_posix()
    return f"{first.text('Modality') or '?'}{said}, {len(members)} slices ({where})"


def _series(name: str, uid: str, members: Sequence[Header], folder: Folder | None) -> Series:
    first = members[0]
    modality = first.text("Modality")
    if modality == "SM":
        raise InputError(f"{name} is a DICOM whole-slide image, which is not read; convert it to OME-TIFF.")
    for one in members:
        if (one.number("NumberOfFrames") or 1) > 1:
            raise InputError(f"{one.path.name} is a DICOM file of several frames; export it as one file a slice.")
        if one.text("Modality") != modality:
            raise InputError(
                f"{name} has slices of different Modality in one series ({first.path.name} and {one.path.name}): "
                "keep one of them."
            )
    slices, copies = _without_copies([read_slice(one) for one in members])
    for image in slices:
        check_pixels(image)
    ordered, lattice, thick = stack(name, slices)
    made = generated_notice(first.prose("DerivationDescription"), name)
    return Series(
        uid=uid,
        modality=modality,
        description=first.words("SeriesDescription"),
        frame=ordered[0].frame,
        slices=ordered,
        lattice=lattice,
        structures=folder.structures if folder else (),
        notices=(*made, *copies, *thick, *check_values(name, modality, ordered), *(folder.others if folder else ())),
    )


def _without_copies(slices: Iterable[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    """Leave out what is there twice, by its SOPInstanceUID and its place, and say so."""
    kept: dict[tuple[str, tuple[float, ...]], Slice] = {}
    alone: list[Slice] = []
    copies: list[tuple[str, str]] = []
    # "003.dcm" before "003 (copy).dcm": the shorter name is the first one's.
    for one in sorted(slices, key=lambda one: (len(one.path.name), one.path)):
        if not one.instance:
            alone.append(one)
            continue
        first = kept.setdefault((one.instance, one.corner), one)
        if first is one:
            continue
        if not filecmp.cmp(first.path, one.path, shallow=False) and not _same(first, one):
            raise InputError(
                f"{one.path.name} says that it is the same image as {first.path.name} (SOPInstanceUID), but holds "
                "other pixels: take one of them out of the folder."
            )
        copies.append((one.path.name, first.path.name))
    if not copies:
        return [*kept.values(), *alone], ()
    more = f", and {len(copies) - 1} more likewise" if len(copies) > 1 else ""
    told = f"{copies[0][0]} is a copy of {copies[0][1]} (same SOPInstanceUID) and is left out{more}."
    return [*kept.values(), *alone], (told,)


def _same(one: Slice, other: Slice) -> bool:
    """Whether two files hold the same values, whatever else differs in them."""
    if one.shape != other.shape or one.rescaling != other.rescaling:
        return False
    return np.array_equal(read_stored(one)[0], read_stored(other)[0])
