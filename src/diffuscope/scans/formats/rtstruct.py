"""RTSTRUCT: the outlines that were drawn on a DICOM series, as labels on a volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom import is_dicom
from diffuscope.scans.lattice import Lattice

# Corners of an outline may lie this far from the middle of their slice, in slices.
_IN_PLANE = 0.25


def is_rtstruct(path: Path) -> bool:
    """Whether a file is a DICOM structure set."""
    if not is_dicom(path):
        return False
    import pydicom

    return str(pydicom.dcmread(path, specific_tags=["Modality"], stop_before_pixels=True).get("Modality")) == "RTSTRUCT"


def find_rtstructs(folder: Path, series_uid: str) -> list[Path]:
    """Return the structure sets in a folder, or one inside it, that were drawn on a series."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and is_rtstruct(file) and drawn_on(file) == series_uid
    ]


def drawn_on(path: Path) -> str | None:
    """Return the SeriesInstanceUID that a structure set refers to; None where it does not say."""
    import pydicom

    found = pydicom.dcmread(path, specific_tags=["ReferencedFrameOfReferenceSequence"])
    for frame in found.get("ReferencedFrameOfReferenceSequence", []):
        for study in frame.get("RTReferencedStudySequence", []):
            for series in study.get("RTReferencedSeriesSequence", []):
                return str(series.SeriesInstanceUID)
    return None


def read_rtstruct(path: Path, lattice: Lattice) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Fill the outlines of a structure set.

    A voxel belongs to a structure if its centre lies inside an odd number of its outlines in that slice, so that an
    outline inside another is a hole. Where structures overlap, the later one counts.

    Parameters
    ----------
    path : Path
        The RTSTRUCT file.
    lattice : Lattice
        Of the volume; the outlines must lie in its slices.

    Returns
    -------
    ndarray of uint8 (z, y, x), dict of int to str
        Labels, 0 for none, and the name of each.

    Raises
    ------
    InputError
        It is no structure set, its outlines lie in no slice of the volume, or it has more than 255 structures.
    """
    import pydicom
    from skimage.draw import polygon

    if not is_rtstruct(path):
        raise InputError(f"{path.name} is no RTSTRUCT file.")
    found = pydicom.dcmread(path)
    names = {int(roi.ROINumber): str(roi.ROIName) for roi in found.get("StructureSetROISequence", [])}
    if len(names) > 255:
        raise InputError(f"{path.name} has {len(names)} structures; 255 are the most that are shown.")
    to_voxel = np.linalg.inv(lattice.affine)
    labels = np.zeros(lattice.shape, np.uint8)
    shown = {}
    for number, drawn in enumerate(found.get("ROIContourSequence", []), start=1):
        inside = np.zeros(lattice.shape, bool)
        for outline in drawn.get("ContourSequence", []):
            points = np.array(outline.ContourData, float).reshape(-1, 3)
            voxels = np.c_[points, np.ones(len(points))] @ to_voxel.T
            slices = np.round(voxels[:, 0])
            if np.ptp(slices) > 0 or np.abs(voxels[:, 0] - slices).max() > _IN_PLANE:
                raise InputError(
                    f"{path.name} was drawn on slices of another volume; open the series that it belongs to."
                )
            z = int(slices[0])
            if 0 <= z < lattice.shape[0]:
                rows, columns = polygon(voxels[:, 1], voxels[:, 2], lattice.shape[1:])
                inside[z, rows, columns] ^= True
        labels[inside] = number
        shown[number] = names.get(int(drawn.ReferencedROINumber), f"structure {number}")
    return labels, shown
