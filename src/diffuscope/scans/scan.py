"""Scan: a slide or picture that is open, and what every format file has to say about one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from diffuscope.scans.lattice import Lattice, Storage
from diffuscope.scans.source import Source

if TYPE_CHECKING:
    from diffuscope.scans.formats.dicom import Series
    from diffuscope.scans.formats.itk import Voxels


@dataclass(frozen=True, eq=False)
class Scan:
    """A slide or picture: lazy, multi-resolution, with its physical pixel size where the file tells it.

    Attributes
    ----------
    path : Path
        The file or OME-Zarr folder.
    name : str
        Its name, for messages and records.
    format : str
        "Aperio SVS", "OME-TIFF", "TIFF", "OME-Zarr 0.4", "OME-Zarr 0.5", "PNG" or "JPEG".
    levels : tuple of dask.array.Array
        Pixels (y, x, c), finest first; chunks are the file's tiles.
    downsamples : tuple of float
        Level-0 pixels per pixel of each level; the first is 1.
    mpp : float or None
        µm per level-0 pixel, the mean of x and y; None where nobody told. Never guessed.
    stated_mpp : float or None
        What the file itself states, where `mpp` was given instead; else `mpp`.
    notices : tuple of str
        What a user should know, one sentence each.
    channels : tuple of str
        One name a channel.
    rgb : bool
        Whether the three channels are one colour image.
    associated : dict of str to dask.array.Array
        "label", "macro", "thumbnail" where there are any. A label can show a patient's name: never shown by default.
    fingerprint : str
        Hash of size, beginning and end: enough to notice another file of the same name.
    sources : tuple of Source
        What `levels` read from, one each. `read_region` asks them directly: cutting a window out of a dask array costs
        time in proportion to all its chunks (37 ms on a slide of 120,000 tiles). Empty for a scan made of dask arrays.
    """

    path: Path
    name: str
    format: str
    levels: tuple[da.Array, ...]
    downsamples: tuple[float, ...]
    mpp: float | None
    stated_mpp: float | None
    notices: tuple[str, ...]
    channels: tuple[str, ...]
    rgb: bool
    associated: dict[str, da.Array]
    fingerprint: str
    sources: tuple[Source, ...] = field(default=(), repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of level 0."""
        return self.levels[0].shape[0], self.levels[0].shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel's values."""
        return self.levels[0].dtype


@dataclass(frozen=True, eq=False, kw_only=True)
class Volume:
    """A CT, MR or other volume: slices from the feet up, rows from front to back, columns from right to left.

    Attributes
    ----------
    path : Path
        The file, the folder of a DICOM series, or one file of it.
    name : str
        Its name, for messages and records.
    format : str
        "NIfTI", "NRRD", "MetaImage", "DICOM CT", "DICOM MR" …
    voxels : Voxels
        (z, y, x), read when first asked for; of CT in HU.
    lattice : Lattice
        Where they lie in the patient.
    storage : Storage
        In which order the file keeps them.
    channels : tuple of str
        One name: what the scanner called it, or ``"intensity"``.
    notices : tuple of str
        What a user should know, one sentence each.
    fingerprint : str
        As of a `Scan`; of a series over all its files.
    series : Series or None
        Of a DICOM series.
    """

    path: Path
    name: str
    format: str
    voxels: Voxels
    lattice: Lattice
    storage: Storage
    channels: tuple[str, ...]
    notices: tuple[str, ...]
    fingerprint: str
    series: Series | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x)."""
        return self.lattice.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x) mm."""
        return self.lattice.spacing

    @property
    def dtype(self) -> np.dtype:
        """Type of a voxel's value."""
        return self.voxels.dtype


@dataclass(frozen=True)
class Contents:
    """What a format file finds in a file: the common ground of all formats, from which `open_scan` makes a Scan.

    Attributes
    ----------
    format : str
        As in `Scan`.
    levels : list of Source
        Levels stored in the file, finest first.
    mpp : tuple of float or None
        (y, x) µm per pixel of level 0.
    channels : tuple of str
        Names; empty where the file has none.
    rgb : bool
        Whether the channels are one colour image.
    notices : tuple of str
        As in `Scan`.
    associated : dict of str to Source
        As in `Scan`.
    """

    format: str
    levels: list[Source]
    mpp: tuple[float, float] | None
    rgb: bool
    channels: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    associated: dict[str, Source] = field(default_factory=dict)
