"""Real neck CTs as what tumours grow in: the surroundings of an oesophagus that was outlined in them.

The folder is one as of OpenKBP (Babier et al., Med Phys 48, 5549, 2021): NAME_ct.nii.gz in HU, NAME_labels.nii.gz on
the same lattice, and labels.json, which says what the labels mean (value modulo 10, the target of a treatment apart).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.simulation.oesophagus.anatomy import SPACING, Scene

if TYPE_CHECKING:
    import SimpleITK as sitk

#: Voxels (z, y, x) of `SPACING` that are cut out.
SHAPE = (48, 64, 64)
_AIR, _BONE, _OUTSIDE = -300.0, 250.0, -1000.0
_SHORTEST = 50.0  # mm of oesophagus that a tumour needs
_OESOPHAGUS = "Esophagus"


def read_scenes(folder: Path) -> list[Scene]:
    """Read the surroundings of each oesophagus of 50 mm or more, in the order of the files' names.

    Parameters
    ----------
    folder : Path
        See the module.

    Raises
    ------
    InputError
        The folder is none of these, a file cannot be read, or no oesophagus is long enough.
    """
    try:
        organs = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["organ"]
        number = next(int(key) for key, name in organs.items() if name == _OESOPHAGUS)
    except (OSError, ValueError, KeyError, AttributeError, StopIteration) as error:
        raise InputError(
            f"{folder} has no labels.json that says which label is the oesophagus: give a folder as of OpenKBP."
        ) from error
    scenes = []
    for ct in sorted(folder.glob("*_ct.nii.gz")):
        scene = _scene(_read(ct), _read(ct.with_name(ct.name.replace("_ct.", "_labels."))), number)
        if scene is not None:
            scenes.append(scene)
    if not scenes:
        raise InputError(f"{folder} has no CT in which {_SHORTEST:g} mm of oesophagus are outlined: give others.")
    return scenes


def _read(path: Path) -> sitk.Image:
    import SimpleITK as sitk

    try:
        return sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read as NIfTI: mend it, or take the patient out of the folder.") from error


def _scene(ct: sitk.Image, labels: sitk.Image, number: int) -> Scene | None:
    """Return what lies around the lower end of the oesophagus, which the outlines follow into the chest."""
    import SimpleITK as sitk

    found = sitk.GetArrayFromImage(labels) % 10
    planes = np.flatnonzero((found == number).any(axis=(1, 2)))
    if len(planes) == 0 or (planes[-1] - planes[0]) * labels.GetSpacing()[2] < _SHORTEST:
        return None
    z, y, x = (float(np.mean(side)) for side in np.nonzero(found == number))
    middle = np.array(ct.TransformContinuousIndexToPhysicalPoint((x, y, z)))
    size = np.array(SHAPE[::-1])
    corner = middle - (size - 1) * np.array(SPACING[::-1]) / 2
    lowest = ct.TransformIndexToPhysicalPoint((0, 0, 0))[2]
    corner[2] = max(corner[2], lowest)
    field = sitk.Image([int(side) for side in size], sitk.sitkUInt8)
    field.SetSpacing(SPACING[::-1])
    field.SetOrigin([float(place) for place in corner])
    hu = sitk.GetArrayFromImage(sitk.Resample(ct, field, sitk.Transform(), sitk.sitkLinear, _OUTSIDE, sitk.sitkFloat32))
    organs = sitk.Resample(labels, field, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkUInt8)
    organ = sitk.GetArrayFromImage(organs) % 10
    free = (hu > _AIR) & (hu < _BONE) & ((organ == 0) | (organ == number))
    inside, beyond = (ndimage.distance_transform_edt(part, sampling=SPACING) for part in (free, ~free))
    return Scene(hu, SPACING, _centre(organ == number), (inside - beyond).astype(np.float32))


def _centre(oesophagus: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (y, x) of the oesophagus in each plane in mm, smoothed over 3 planes; NaN where there is none."""
    centre = np.full((len(oesophagus), 2), np.nan)
    there = np.flatnonzero(oesophagus.any(axis=(1, 2)))
    for plane in there:
        centre[plane] = [float(np.mean(side)) for side in np.nonzero(oesophagus[plane])]
    centre[there] = ndimage.gaussian_filter1d(centre[there], 3.0, axis=0, mode="nearest")
    return centre * np.array(SPACING[1:])
