"""Volumes through SimpleITK: headers at once, voxels when they are first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.contents import VolumeContents
from diffuscope.scans.lattice import Lattice, Storage

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


class Voxels:
    """The voxels of a volume as it is shown, (z, y, x); read whole when a part is first asked for, then kept.

    Parameters
    ----------
    load : callable
        Reads them, in the file's order.
    lattice, storage : Lattice, Storage
        From `diffuscope.scans.lattice.upright`.
    dtype : dtype
        To which they are brought.
    name : str
        For messages.
    """

    ndim = 3

    def __init__(
        self, load: Callable[[], NDArray[np.generic]], lattice: Lattice, storage: Storage, dtype: Any, name: str
    ) -> None:
        self.shape: tuple[int, ...] = lattice.shape
        self.dtype = np.dtype(dtype)
        self._load, self._storage, self._name = load, storage, name
        self._held: NDArray[np.generic] | None = None
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> NDArray[np.generic]:
        """Return a part, as NumPy cuts it."""
        with self._lock:
            if self._held is None:
                self._held = self._read()
        return self._held[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """Return all of them."""
        return np.array(self[:], dtype=dtype, copy=copy)

    def _read(self) -> NDArray[np.generic]:
        try:
            stored = self._load()
        except RuntimeError as error:
            raise InputError(f"{self._name} cannot be read to its end ({_reason(error)}); copy it again.") from error
        return self._storage.show(stored.astype(self.dtype, copy=False))


def read_volume_file(path: Path, format_name: str) -> VolumeContents:
    """Contents of a NIfTI, NRRD or MetaImage file (`format_name`): its header now, its voxels when they are asked for.

    Raises
    ------
    InputError
        As `read_header` does.
    """
    lattice, dtype = read_header(path)
    return VolumeContents(
        format=format_name, lattice=lattice, dtype=dtype, load=partial(read_voxels, path), files=(path,)
    )


def read_header(path: Path) -> tuple[Lattice, np.dtype[Any]]:
    """Return the lattice of a NIfTI, NRRD or MetaImage file, in the file's own order, and the type of its voxels.

    Raises
    ------
    InputError
        It is damaged, no volume, a time series, or holds several values a voxel.
    """
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{path.name} cannot be read as a volume ({_reason(error)}).") from error
    size, parts = reader.GetSize(), reader.GetNumberOfComponents()
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if any(side > 1 for side in size[3:]):
        raise InputError(
            f"{path.name} holds {max(size[3:])} volumes, one after the other (4D); save one of them as a file."
        )
    if len(size) < 3:
        raise InputError(f"{path.name} is one plane and no volume; save it as TIFF or PNG to open it.")
    dtype = _DTYPES.get(kind)
    if parts > 1 or dtype is None:
        raise InputError(f"{path.name} holds {kind} of {parts} value(s) a voxel; save one value a voxel.")
    along, wide = reader.GetDirection(), len(size)
    columns = [tuple(along[wide * row + column] for row in range(3)) for column in range(3)]
    lattice = _lattice(size[:3], reader.GetSpacing()[:3], reader.GetOrigin()[:3], columns)
    return lattice, np.dtype(dtype)


def read_voxels(path: Path) -> NDArray[np.generic]:
    """Return the voxels of a file as it keeps them, (z, y, x); a rescaling that the header states is done."""
    import SimpleITK as sitk

    voxels: NDArray[np.generic] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    return voxels[(0,) * (voxels.ndim - 3)]


def _lattice(size: Any, spacing: Any, origin: Any, columns: Any) -> Lattice:
    """Return a lattice from what ITK says in the order x, y, z."""
    x, y, z = columns
    return Lattice(
        (int(size[2]), int(size[1]), int(size[0])),
        (float(spacing[2]), float(spacing[1]), float(spacing[0])),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        (z, y, x),
    )


def _reason(error: RuntimeError) -> str:
    """Return the last line of ITK's complaint, which names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rpartition("): ")[2].rstrip(".") if lines else type(error).__name__
