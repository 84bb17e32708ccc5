"""Contents: what every format file says of a file, from which `open_scan` and `open_volume` make a Scan or a Volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.lattice import Lattice
from diffuscope.scans.source import Source

if TYPE_CHECKING:
    from diffuscope.scans.formats.dicom.series import Series
    from diffuscope.scans.formats.volumes.nifti_forms import Forms


@dataclass(frozen=True)
class Contents:
    """What a format finds in the file of a slide or picture.

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
    beside : tuple of Path
        Other files that hold some of its pixels, of which the fingerprint is taken as well.
    files : tuple of Path
        All that it lies in, where the path is one of several files or a folder of them; the fingerprint is theirs.
    fingerprint : str
        Of what lies on the net, and so has no file; else empty.
    has_twin : bool
        As in `Scan`.
    """

    format: str
    levels: list[Source]
    mpp: tuple[float, float] | None
    rgb: bool
    channels: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    associated: dict[str, Source] = field(default_factory=dict)
    beside: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    fingerprint: str = ""
    has_twin: bool = False


@dataclass(frozen=True, kw_only=True)
class VolumeContents:
    """What a format finds in a file or folder of a volume, in the file's own order.

    Attributes
    ----------
    format : str
        As in `Volume`.
    lattice : Lattice
        As stored.
    dtype : numpy.dtype
        Of the voxels that `load` gives.
    load : callable
        Reads them, (z, y, x) as stored.
    channel : str
        What the scanner called it, or ``"intensity"``.
    files : tuple of Path
        Of which the fingerprint is taken.
    series : Series or None
        Of a DICOM series.
    notices : tuple of str
        As in `Volume`.
    forms : Forms or None
        Of a NIfTI.
    """

    format: str
    lattice: Lattice
    dtype: np.dtype
    load: Callable[[], NDArray[np.generic]]
    files: tuple[Path, ...]
    channel: str = "intensity"
    series: Series | None = None
    notices: tuple[str, ...] = ()
    forms: Forms | None = None
