"""DICOM series through SimpleITK: headers at once, voxels when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.volumes.voxels import reason

_DTYPES = {
    "8-bit signed integer": np.int8,
    "8-bit unsigned integer": np.uint8,
    "16-bit signed integer": np.int16,
    "16-bit unsigned integer": np.uint16,
    "32-bit signed integer": np.int32,
    "32-bit unsigned integer": np.uint32,
    "64-bit signed integer": np.int64,
    "64-bit unsigned integer": np.uint64,
    "32-bit float": np.float32,
    # No scanner measures to 16 digits; half the memory.
    "64-bit float": np.float32,
}


def read_series(files: Sequence[Path], *, exact: bool) -> NDArray[np.generic]:
    """Return the slices of a DICOM series, (z, y, x), with slope and intercept applied.

    Parameters
    ----------
    files : sequence of Path
        In the order of their slices.
    exact : bool
        Whether slopes and intercepts are the same whole numbers in all of them; otherwise floats come out.
    """
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    if not exact:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    voxels: NDArray[np.generic] = sitk.GetArrayFromImage(reader.Execute())
    return voxels


def series_dtype(file: Path, *, exact: bool) -> np.dtype[Any]:
    """Return the type of the voxels that `read_series` gives."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{file.name} cannot be read as a DICOM image ({reason(error)}).") from error
    return np.dtype(_DTYPES.get(sitk.GetPixelIDValueAsString(reader.GetPixelID()), np.float32) if exact else np.float32)
