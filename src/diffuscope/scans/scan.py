"""Scan: a slide or picture that is open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.channels import find_channel, one_channel
from diffuscope.scans.foreground import slide_foreground
from diffuscope.scans.intensity import range_line, slide_range
from diffuscope.scans.mask import Foreground
from diffuscope.scans.physical import check_mpp
from diffuscope.scans.region import read_region, resampling_factor
from diffuscope.scans.source import Source
from diffuscope.scans.tissue import tissue_mask
from diffuscope.scans.windows import foreground_windows

if TYPE_CHECKING:
    from diffuscope.scans.image import Grid, Image, Range
    from diffuscope.stains import StainStatistics


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
    levels : sequence of dask.array.Array
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
    has_twin : bool
        Whether the file holds another image of the same size, of which this is the first.
    """

    path: Path
    name: str
    format: str
    levels: Sequence[da.Array]
    downsamples: tuple[float, ...]
    mpp: float | None
    stated_mpp: float | None
    notices: tuple[str, ...]
    channels: tuple[str, ...]
    rgb: bool
    associated: dict[str, da.Array]
    fingerprint: str
    sources: tuple[Source, ...] = field(default=(), repr=False)
    has_twin: bool = False

    axes: ClassVar[Literal["yx"]] = "yx"
    unit: ClassVar[Literal["µm"]] = "µm"

    @property
    def grids(self) -> Sequence[Source | da.Array]:
        """What knows shape and type of each level, without a dask array being made for it."""
        return self.sources or self.levels

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of level 0."""
        height, width, _ = self.grids[0].shape
        return height, width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel's values."""
        return self.grids[0].dtype

    @property
    def spacing(self) -> tuple[float, float] | None:
        """(y, x) µm, the same along both: pixels are square, or `open_scan` refuses them."""
        return None if self.mpp is None else (self.mpp, self.mpp)

    @property
    def kind(self) -> str:
        """As of an `Image`."""
        return f"an image of {len(self.channels)} channel(s)"

    @property
    def size(self) -> str:
        """As of an `Image`."""
        scale = "µm/px unknown" if self.mpp is None else f"{self.mpp:.4g} µm/px"
        return f"{self.shape[1]} x {self.shape[0]} px, {scale}"

    def read(
        self, start: Sequence[int], shape: Sequence[int], *, factors: Sequence[float], fill: float
    ) -> NDArray[np.generic]:
        """As of an `Image`, by one factor for both axes (see `read_region`)."""
        (y, x), (height, width) = start, shape
        return read_region(self, y=y, x=x, height=height, width=width, factor=factors[-1], fill=fill)

    def channel(self, number: int) -> Scan:
        """As of an `Image`; others are not decoded where they lie apart in the file."""
        return one_channel(self, number)

    def find_channel(self, text: str) -> int:
        """As of an `Image`."""
        return find_channel(self.channels, text, self.name)

    def factors(self, model: Grid) -> tuple[float, float]:
        """As of an `Image`."""
        factor = resampling_factor(self, model.mpp)
        assert self.mpp is not None  # resampling_factor refuses a scan without
        check_mpp(self.name, self.mpp, model.mpp)
        return factor, factor

    def resampling(self, model: Grid) -> tuple[str, ...]:
        """As of an `Image`; of a factor of 1 too where the µm/px differ."""
        factor, _ = self.factors(model)
        if factor != 1.0:
            how = (
                f"reduced {factor:.3g} times"
                if factor > 1
                else f"enlarged {1 / factor:.3g} times, which adds no detail"
            )
            return (f"{self.name} has {self.mpp:.4g} µm/px and the model works at {model.mpp:.4g}: {how}.",)
        if not math.isclose(self.mpp or 0, model.mpp, rel_tol=1e-3):
            near = f"within 5 % of the model's {model.mpp:.4g}: used as it is."
            return (f"The {self.mpp:.4g} µm/px of {self.name} are {near}",)
        return ()

    def is_on_grid_of(self, other: Image) -> bool:
        """As of an `Image`: of one size in px and in µm."""
        same_scale = self.mpp == other.mpp or math.isclose(self.mpp or 0, other.mpp or 0, rel_tol=1e-3)
        return isinstance(other, Scan) and self.shape == other.shape and same_scale

    def foreground(self, beside: Sequence[Scan] = (), ranges: Sequence[Range | None] = ()) -> Foreground:  # noqa: ARG002  slides have percentiles
        """As of an `Image`: by a stained picture where one is among them (see `tissue_mask`, `slide_foreground`)."""
        scans = (self, *beside)
        coloured = [one for one in scans if one.rgb]
        return tissue_mask(coloured[0]) if coloured else slide_foreground(scans)

    def percentiles(self, inside: Foreground, *, factors: Sequence[float]) -> Range:
        """As of an `Image` (see `slide_range`)."""
        return slide_range(self, inside, factor=factors[-1])

    def stains(self, inside: Foreground, *, factors: Sequence[float]) -> StainStatistics | None:
        """As of an `Image`; of 8-bit RGB and known µm/px."""
        from diffuscope.stains import measure_stains  # brings skimage, which opening a slide does not need

        assert self.mpp is not None
        windows = foreground_windows(self, inside, factor=factors[-1], fill=255)
        return measure_stains([pixels.astype(np.uint8) for pixels, _ in windows], mpp=self.mpp * factors[-1])

    def describe(self) -> list[tuple[str, str]]:
        """As of an `Image`."""
        height, width = self.shape
        size = f"{width} x {height} px"
        if self.mpp is not None:
            size += f", {width * self.mpp / 1000:.3g} x {height * self.mpp / 1000:.3g} mm"
        levels = (
            f"{level.shape[1]} x {level.shape[0]} (1:{down:.4g})"
            for level, down in zip(self.grids, self.downsamples, strict=True)
        )
        inside = self.foreground()
        return [
            ("format", self.format),
            ("size", size),
            ("levels", ", ".join(levels)),
            ("µm/px", "unknown: give --mpp to run a model" if self.mpp is None else f"{self.mpp:.4g}"),
            ("channels", f"{', '.join(self.channels)} ({self.dtype})"),
            *(self._colours(inside) if self.rgb else self._ranges(inside)),
            ("tissue", f"{100 * inside.fraction_in(0, 0, height, width):.1f} %"),
            ("fingerprint", self.fingerprint),
            *([("other images", ", ".join(self.associated))] if self.associated else []),
            *(("notice", notice) for notice in self.notices),
        ]

    def to_json(self) -> dict[str, Any]:
        """As of an `Image`."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "format": self.format,
            "shape": list(self.shape),
            "mpp": self.mpp,
            "mpp_stated": self.stated_mpp,
        }

    def _ranges(self, inside: Foreground) -> list[tuple[str, str]]:
        each = [self.channel(number) for number in range(len(self.channels))]
        return [range_line(one.channels[0], one.percentiles(inside, factors=(1.0, 1.0))) for one in each]

    def _colours(self, inside: Foreground) -> list[tuple[str, str]]:
        """Say what a model that normalises H&E would make of an 8-bit slide; nothing where it cannot be measured."""
        if self.mpp is None or self.dtype != np.uint8:
            return []
        found = self.stains(inside, factors=(1.0, 1.0))
        return [] if found is None else [("stains", f"as H&E: {found.summary} OD where a model normalises")]
