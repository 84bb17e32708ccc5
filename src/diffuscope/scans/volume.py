"""Volume: a CT, MR or other volume that is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.box import read_volume, volume_factors
from diffuscope.scans.foreground import volume_foreground
from diffuscope.scans.intensity import range_line, volume_range
from diffuscope.scans.lattice import Lattice, Storage
from diffuscope.scans.mask import Foreground

if TYPE_CHECKING:
    from pathlib import Path

    from diffuscope.scans.formats.dicom.series import Series
    from diffuscope.scans.formats.volumes.nifti_forms import Forms
    from diffuscope.scans.formats.volumes.voxels import Voxels
    from diffuscope.scans.image import Grid, Image, Range

# Of volumes up to so many bytes `describe` tells what they show, in two seconds and 500 MB: a CT of a chest has 160 MB.
_LOOKED_AT = 160 * 10**6


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
    stated : tuple of str
        What a user should know of its headers, one sentence each.
    fingerprint : str
        As of a `Scan`; of a series over all its files.
    series : Series or None
        Of a DICOM series.
    forms : Forms or None
        Of a NIfTI: both of its ways to say where it lies, which an export keeps.
    """

    path: Path
    name: str
    format: str
    voxels: Voxels
    lattice: Lattice
    storage: Storage
    channels: tuple[str, ...]
    stated: tuple[str, ...]
    fingerprint: str
    series: Series | None = None
    forms: Forms | None = None

    axes: ClassVar[Literal["zyx"]] = "zyx"
    unit: ClassVar[Literal["mm"]] = "mm"
    rgb: ClassVar[bool] = False
    kind: ClassVar[str] = "a volume"
    mpp: ClassVar[None] = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know: of the headers at once, of the voxels when they have been read."""
        return (*self.stated, *self.voxels.notices)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x)."""
        return self.lattice.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x) mm."""
        return self.lattice.spacing

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel's value."""
        return self.voxels.dtype

    @property
    def size(self) -> str:
        """As of an `Image`; with the place of the first voxel."""
        spacing = " x ".join(f"{step:.4g}" for step in reversed(self.spacing))
        shape = " x ".join(map(str, reversed(self.shape)))
        return f"{shape} voxels of {spacing} mm from {self._at}"

    def read(
        self, start: Sequence[int], shape: Sequence[int], *, factors: Sequence[float], fill: float
    ) -> NDArray[np.generic]:
        """As of an `Image` (see `read_volume`); beyond the first and the last slice these are repeated."""
        z, y, x = start
        depth, height, width = shape
        return read_volume(
            self.voxels, z=z, y=y, x=x, depth=depth, height=height, width=width, factors=factors, fill=fill
        )

    def channel(self, number: int) -> Self:
        """As of an `Image`: a volume is its only channel."""
        if number != 0:
            raise IndexError(f"{self.name} has one channel, not one of number {number}")
        return self

    def find_channel(self, text: str) -> int:
        """Refuse: nobody chooses the only channel."""
        raise InputError(f"{self.name} is a volume and has no channels to choose: leave out #{text}.")

    def factors(self, model: Grid) -> tuple[float, float, float]:
        """As of an `Image`, along each axis by itself."""
        assert model.spacing is not None  # check_port refuses a volume where a slide goes in
        return volume_factors(self.spacing, model.spacing)

    def resampling(self, model: Grid) -> tuple[str, ...]:
        """As of an `Image`."""
        factors = self.factors(model)
        if factors == (1.0, 1.0, 1.0):
            return ()
        own, used = (
            " x ".join(f"{step:.3g}" for step in reversed(steps))
            for steps in (self.spacing, [step * by for step, by in zip(self.spacing, factors, strict=True)])
        )
        return (f"The volume has voxels of {own} mm (x, y, z) and the model works at {used}: resampled.",)

    def is_on_grid_of(self, other: Image) -> bool:
        """As of an `Image`: in the patient, but for what headers round."""
        return isinstance(other, Volume) and self.lattice.is_same(other.lattice)

    def foreground(self, beside: Sequence[Self] = (), ranges: Sequence[Range | None] = ()) -> Foreground:
        """As of an `Image`: the patient (see `volume_foreground`)."""
        volumes = (self, *beside)
        return volume_foreground(volumes, ranges or [None] * len(volumes))

    def percentiles(self, inside: Foreground, *, factors: Sequence[float]) -> Range:  # noqa: ARG002  of its own voxels
        """As of an `Image`, of the volume's own voxels (see `volume_range`)."""
        return volume_range(self, inside)

    def stains(self, inside: Foreground, *, factors: Sequence[float]) -> None:
        """As of an `Image`: a volume has none."""

    def describe(self) -> list[tuple[str, str]]:
        """As of an `Image`."""
        depth, height, width = self.shape
        z, y, x = self.spacing
        size = f"{width} x {height} x {depth} voxels, {width * x:.4g} x {height * y:.4g} x {depth * z:.4g} mm (x, y, z)"
        return [
            ("format", self.format),
            ("size", size),
            ("spacing", f"{x:.4g} x {y:.4g} x {z:.4g} mm"),
            ("first voxel", f"{self._at} mm (LPS)"),
            ("channels", f"{', '.join(self.channels)} ({self.dtype})"),
            *self._shows(),
            ("fingerprint", self.fingerprint),
            *(("notice", notice) for notice in self.notices),
        ]

    def _shows(self) -> list[tuple[str, str]]:
        """Return the lines of `describe` for which voxels are read; of a very large volume none is."""
        need = self.voxels.dtype.itemsize * int(np.prod(self.shape, dtype=object))
        if need > _LOOKED_AT:
            return [("values", f"not looked at: {need / 1e9:.3g} GB are read when it is computed")]
        mask = self.foreground()
        shown = np.flatnonzero(mask.mask.any(axis=(1, 2)))
        low, high = np.nanmin(self.voxels[:]), np.nanmax(self.voxels[:])
        count = len(mask.mask)
        slices = f"{shown[0]}:{shown[-1] + 1} of {count} show more than background" if len(shown) else "all background"
        return [
            ("values", f"{low:g} to {high:g}"),
            range_line(self.channels[0], volume_range(self, mask)),
            ("slices", slices),
        ]

    def to_json(self) -> dict[str, Any]:
        """As of an `Image`."""
        in_plane = 1000 * self.spacing[-1]
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "format": self.format,
            "shape": list(self.shape),
            "mpp": in_plane,
            "mpp_stated": in_plane,
            "lattice": self.lattice.to_json(),
            "storage": {"order": list(self.storage.order), "flipped": list(self.storage.flipped)},
            **({"series": self.series.uid} if self.series else {}),
            **({"forms": self.forms.to_json()} if self.forms else {}),
        }

    @property
    def _at(self) -> str:
        return ", ".join(f"{place:.4g}" for place in self.lattice.origin)
