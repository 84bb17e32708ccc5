"""The image in which a stain of a result is measured: its DAB, where the tissue lies, and what counts as positive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.measurement.threshold import threshold_of
from diffuscope.measurement.tissue import ComputedTissue, computed_tissue
from diffuscope.ports.stains import Stain, samples_of
from diffuscope.results.chunks import read_box
from diffuscope.results.layout import open_images
from diffuscope.stains.deconvolution import dab_density

if TYPE_CHECKING:
    from diffuscope.results.coverage import Covered
    from diffuscope.results.result import Result
    from diffuscope.results.tissue import TissueMap

MIN_OBJECT_UM2 = 8.0
"""Smallest positive object that is counted, µm²; the smallest that the coarse training masks keep."""

# Px of all channels in a row that are read at once: of as many samples as are kept a chunk.
_COLUMNS = 4096


@dataclass(frozen=True, eq=False)
class StainImage:
    """The image in which a stain is measured.

    Attributes
    ----------
    array : zarr.Array (c, h, w)
        Finest level of its DAB, or of its colours where there is no map of it.
    mask : ComputedTissue
        Where the tissue lies that was computed.
    threshold : float
        OD above which a px is positive.
    min_pixels : int
        Smallest object that is counted.
    is_rgb : bool
        Whether it is of colours.
    drawn : zarr.Array (samples, h, w) or None
        DAB of each sample, where the result keeps them and they are asked for.
    covered : Covered or None
        What was computed, on tissue or not; None where the result does not know.
    """

    array: zarr.Array[Any]
    mask: ComputedTissue
    threshold: float
    min_pixels: int
    is_rgb: bool
    drawn: zarr.Array[Any] | None = None
    covered: Covered | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), px."""
        return self.array.shape[1], self.array.shape[2]

    @property
    def samples(self) -> int:
        """How many samples are read beside their mean."""
        return self.drawn.shape[0] if self.drawn is not None else 0

    def read(self, y: int, height: int) -> Iterator[tuple[int, NDArray[np.floating], NDArray[np.bool_]]]:
        """Yield first column, DAB (OD; 1 + samples, h, w) and tissue (h, w) of some rows, a few columns at a time."""
        columns = _COLUMNS // (1 + self.samples)
        for x in range(0, self.shape[1], columns):
            dab = self.block((y, x, height, min(columns, self.shape[1] - x)))
            yield x, dab, self.mask.read(y, x, *dab.shape[1:])

    def block(self, box: tuple[int, int, int, int]) -> NDArray[np.floating]:
        """Return DAB in a box (y, x, height, width), and behind it that of each sample: (1 + samples, h, w)."""
        read: NDArray[Any] = read_box(self.array, box)
        own: NDArray[Any] = dab_density(np.moveaxis(read, 0, -1))[None] if self.is_rgb else read
        return own if self.drawn is None else np.concatenate([own, read_box(self.drawn, box)])

    def computed(self, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        """Return which px of a box (y, x, height, width) were computed (h, w): DAB of the others is 0, and no value."""
        y, x, height, width = box
        if self.covered is None:
            return np.ones((height, width), bool)
        return self.covered.mask((range(y, y + height), range(x, x + width)), (1, 1))


def open_stain(
    result: Result,
    mask: TissueMap,
    stain: Stain,
    *,
    min_object_um2: float = MIN_OBJECT_UM2,
    threshold: float | None = None,
    each_sample: bool = False,
) -> StainImage:
    """Open the image in which a stain of a result is measured.

    Parameters
    ----------
    result : Result
        As opened.
    mask : TissueMap
        Its tissue.
    stain : Stain
        One of its stains.
    min_object_um2 : float
        Area of the smallest object that is counted, µm².
    threshold : float, optional
        OD; default that of its record.
    each_sample : bool
        Whether the samples that it keeps are read beside their mean.
    """
    port = stain.dab or stain.colour
    assert port is not None
    root = zarr.open_group(result.path, mode="r", zarr_format=2)
    return StainImage(
        array=open_images(root, result.ports)[port.key][0],
        mask=computed_tissue(result, mask),
        threshold=threshold_of(result.record) if threshold is None else threshold,
        min_pixels=max(1, ceil(min_object_um2 / result.mpp**2 - 1e-9)),
        is_rgb=port.kind == "rgb",
        drawn=result.samples.get(samples_of(stain)) if each_sample else None,
        covered=result.coverage.read() if result.coverage is not None else None,
    )


def smallest_counted(result: Result) -> float:
    """Return the area of the smallest object that a result's table counts, µm²."""
    return float(result.table[0].get("min_object_um2") or MIN_OBJECT_UM2) if result.table else MIN_OBJECT_UM2
