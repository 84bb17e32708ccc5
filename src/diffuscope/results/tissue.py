"""Where the tissue of a result lies, kept beside its images so that measuring needs no slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.tiling.region import Region

PATH = "tissue"
# Of a mask of whole slides at 1024 px a side a hundredth of this.
_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True, kw_only=True)
class TissueMap:
    """Coarse tissue mask of a canvas, and the region that bounds it: the canvas has every px that the region touches.

    Attributes
    ----------
    mask : ndarray of bool (h, w)
        The slide's tissue mask, cropped to what touches the canvas.
    downsample : float
        Level-0 px per mask px.
    start : tuple of int
        (y, x) of `mask[0, 0]` in px of the slide's whole mask.
    factor : float
        Level-0 px per canvas px.
    window : tuple of int
        (y, x, height, width) of the canvas in px of the model's grid.
    region : Region or None
        Where it counts; None: on all of the canvas.
    """

    mask: NDArray[np.bool_]
    downsample: float
    start: tuple[int, int]
    factor: float
    window: tuple[int, ...]
    region: Region | None

    def read(self, y: int, x: int, height: int, width: int) -> NDArray[np.bool_]:
        """Return which canvas px of a box are tissue inside the region.

        Parameters
        ----------
        y, x, height, width : int
            Box on the canvas, px of its finest level.

        Returns
        -------
        ndarray of bool (height, width)
            A px is tissue if its centre lies on a tissue px of the mask, and in the region.
        """
        rows = (np.arange(y, y + height) + self.window[0] + 0.5) * self.factor
        columns = (np.arange(x, x + width) + self.window[1] + 0.5) * self.factor
        inside = self.mask[np.ix_(self._index(rows, 0), self._index(columns, 1))]
        return inside if self.region is None else inside & self.region.covers(rows, columns)

    def _index(self, centres: NDArray[np.floating], axis: int) -> NDArray[np.intp]:
        index = np.floor(centres / self.downsample).astype(np.intp) - self.start[axis]
        # A slide's last px may reach past the last whole px of its mask.
        return np.asarray(np.clip(index, 0, self.mask.shape[axis] - 1))


def crop_tissue(
    mask: NDArray[np.bool_],
    downsample: float,
    *,
    factor: float,
    window: tuple[int, ...],
    region: Region | None,
) -> TissueMap:
    """Cut what a canvas needs from the tissue mask of the whole slide (parameters as in `TissueMap`)."""
    start, stop = [], []
    for axis in (0, 1):
        last = mask.shape[axis] - 1
        low = int(window[axis] * factor / downsample)
        high = int((window[axis] + window[axis + 2]) * factor / downsample)
        start.append(min(low, last))
        stop.append(min(high, last) + 1)
    cropped = mask[start[0] : stop[0], start[1] : stop[1]]
    return TissueMap(
        mask=cropped,
        downsample=downsample,
        start=(start[0], start[1]),
        factor=factor,
        window=window,
        region=region,
    )


def save_tissue(root: zarr.Group, tissue: TissueMap) -> None:
    """Write a tissue map as the array ``tissue`` (uint8, 0 or 1) of a result folder."""
    array = root.create_array(
        PATH,
        data=tissue.mask.astype(np.uint8),
        chunks=tissue.mask.shape,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    array.attrs.update(
        {
            "downsample": tissue.downsample,
            "start": list(tissue.start),
            "polygon": None if tissue.region is None else [list(point) for point in _corners(tissue.region)],
        }
    )


def load_tissue(root: zarr.Group, *, factor: float, window: tuple[int, ...]) -> TissueMap | None:
    """Read what `save_tissue` wrote; None where a result has none."""
    if PATH not in root:
        return None
    array = root[PATH]
    assert isinstance(array, zarr.Array)
    about: dict[str, Any] = dict(array.attrs)
    region = _region(about["polygon"])
    downsample, start = float(about["downsample"]), tuple(about["start"])
    if (
        array.ndim != 2
        or not array.size
        or array.nbytes > _MOST_BYTES
        or not (0 < downsample < 1e9)
        or [type(n) for n in start] != [int, int]
    ):
        raise ValueError("its tissue mask is none")
    return TissueMap(
        mask=np.asarray(array[:]) > 0,
        downsample=downsample,
        start=(start[0], start[1]),
        factor=factor,
        window=window,
        region=region,
    )


def _corners(region: Region) -> tuple[tuple[float, float], ...]:
    if region.polygon is not None:
        return region.polygon
    left, top, right, bottom = region.x, region.y, region.x + region.width, region.y + region.height
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _region(points: list[list[float]] | None) -> Region | None:
    """Return the region of its corners; of a rectangle results of before have none, and count to whole px."""
    if not points:
        return None
    try:
        found = Region.from_polygon([(float(x), float(y)) for x, y in points])
    except InputError as error:  # which asks to draw it anew, as whoever opens a result cannot
        raise ValueError("its region is none") from error
    plain = replace(found, polygon=None)
    return plain if _corners(plain) == found.polygon else found
