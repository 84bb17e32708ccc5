"""The positive objects that `diffuscope.measurement.measurements` counts, each with its outline and its means.

Of objects that may go on below the rows seen so far runs and sums are kept, of all others nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.measurement.measurements import BAND
from diffuscope.measurement.objects import TOUCHING, touching
from diffuscope.measurement.outlines import Runs, find_runs, outline
from diffuscope.measurement.stain_image import MIN_OBJECT_UM2, StainImage, open_stain
from diffuscope.ports.stains import Stain, find_stains
from diffuscope.results.chunks import read_box
from diffuscope.results.layout import open_images

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result

# Columns of a map that are read at once.
_COLUMNS = 4096


@dataclass(frozen=True, eq=False)
class Positive:
    """A positive object.

    Attributes
    ----------
    outline : shapely.Polygon or shapely.MultiPolygon
        Along the edges of its px, (x, y) in px of the canvas from its corner; valid.
    pixels : int
        How many px it has.
    dab : float
        Mean OD of its DAB.
    means : dict of str to float
        By key of their port the means of the maps that were asked for; NaN where a px of it is unknown.
    """

    outline: Any
    pixels: int
    dab: float
    means: dict[str, float]


def stains_counted(result: Result) -> list[Stain]:
    """Return the stains whose objects a result's table counts; none where it has no tissue mask."""
    return find_stains(result.ports) if result.tissue is not None else []


def find_positives(
    result: Result, stain: Stain, maps: tuple[Raster, ...] = (), *, min_object_um2: float = MIN_OBJECT_UM2
) -> Iterator[Positive]:
    """Yield the objects that `diffuscope.measurement.measurements.measure` counts of one stain.

    Parameters
    ----------
    result : Result
        As opened.
    stain : Stain
        One of its stains.
    maps : tuple of Raster
        Ports of one channel whose means are wanted.
    min_object_um2 : float
        Smaller objects are left out, µm².

    Raises
    ------
    InputError
        The result has no tissue mask.
    """
    if result.tissue is None:
        raise InputError(f"{result.path.name} has no tissue mask and cannot be measured: run it again.")
    image = open_stain(result, result.tissue, stain, min_object_um2=min_object_um2)
    arrays = open_images(zarr.open_group(result.path, mode="r", zarr_format=2), result.ports)
    keys = [port.key for port in maps]
    objects = _Objects(image.shape[1], min_pixels=image.min_pixels, sums=1 + len(keys))
    for y in range(0, image.shape[0], BAND):
        yield from _told(objects.add(y, *_band(image, [arrays[key][0] for key in keys], y)), keys)
    yield from _told(objects.finish(), keys)


def _told(found: Iterator[tuple[Any, int, NDArray[np.float64]]], keys: list[str]) -> Iterator[Positive]:
    for outlined, pixels, sums in found:
        dab, *means = (sums / pixels).tolist()
        yield Positive(outlined, pixels, dab, dict(zip(keys, means, strict=True)))


def _band(image: StainImage, maps: list[zarr.Array[Any]], y: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the numbers of the components of a band, (rows, width), and their sums of DAB and of maps."""
    height, width = min(BAND, image.shape[0] - y), image.shape[1]
    positive, dab = np.zeros((height, width), np.bool_), np.zeros((height, width), np.float32)
    for x, (read,), tissue in image.read(y, height):
        columns = np.s_[:, x : x + read.shape[1]]
        dab[columns] = read
        np.logical_and(tissue, read > image.threshold, out=positive[columns])
    labels, found = ndimage.label(positive, structure=TOUCHING)
    sums = np.zeros((found, 1 + len(maps)))
    sums[:, 0] = _sums(labels, dab, found)
    for number, one in enumerate(maps, start=1):
        for x in range(0, width, _COLUMNS):
            columns = np.s_[:, x : x + _COLUMNS]
            read = read_box(one, (y, x, height, min(_COLUMNS, width - x)))[0]
            sums[:, number] += _sums(labels[columns], read, found)
    return labels, sums


def _sums(labels: NDArray[np.int32], values: NDArray[np.floating], found: int) -> NDArray[np.float64]:
    inside = labels > 0
    return np.bincount(labels[inside] - 1, weights=values[inside], minlength=found).astype(np.float64)


class _Objects:
    """The objects of an image that is seen in bands, from top to bottom.

    Parameters
    ----------
    width : int
        Of the image, px.
    min_pixels : int
        Smallest object that is told.
    sums : int
        How many sums are kept of each.
    """

    def __init__(self, width: int, *, min_pixels: int, sums: int) -> None:
        self._min_pixels = min_pixels
        self._bottom = np.zeros(width, np.int64)  # numbers of the open objects in the last row, from 1
        self._runs = _none()
        self._of = np.zeros(0, np.int64)
        self._pixels, self._sums = np.zeros(0, np.int64), np.zeros((0, sums))

    def add(
        self, y: int, labels: NDArray[np.int32], sums: NDArray[np.float64]
    ) -> Iterator[tuple[Any, int, NDArray[np.float64]]]:
        """Take in the band that begins in row `y`, and yield outline, px and sums of what it ended."""
        before, found = len(self._pixels), len(sums)
        runs = find_runs(labels > 0)
        of = labels[runs.rows, runs.starts].astype(np.int64) - 1
        group = touching(self._bottom, labels[0], before, found)
        count = int(group.max(initial=-1)) + 1
        lengths = np.bincount(of, weights=runs.stops - runs.starts, minlength=found).astype(np.int64)
        self._pixels = _added(group, np.concatenate([self._pixels, lengths]), count)
        self._sums = _added(group, np.concatenate([self._sums, sums]), count)
        self._runs = Runs(*map(np.concatenate, zip(self._runs, runs._replace(rows=runs.rows + y), strict=True)))
        self._of = np.concatenate([group[self._of], group[before + of]])
        bottom = np.concatenate([[0], group[before:] + 1])[labels[-1]]
        goes_on = np.zeros(count, np.bool_)
        goes_on[bottom[bottom > 0] - 1] = True
        yield from self._told(~goes_on)
        self._keep(goes_on)
        self._bottom = np.concatenate([[0], np.cumsum(goes_on) * goes_on])[bottom]

    def finish(self) -> Iterator[tuple[Any, int, NDArray[np.float64]]]:
        """Yield what is left, once the last band is in."""
        yield from self._told(np.ones(len(self._pixels), np.bool_))

    def _told(self, ended: NDArray[np.bool_]) -> Iterator[tuple[Any, int, NDArray[np.float64]]]:
        chosen = ended & (self._pixels >= self._min_pixels)
        number, mine = np.cumsum(chosen) - 1, chosen[self._of]
        runs = Runs(*(part[mine] for part in self._runs))
        outlines = outline(runs, number[self._of[mine]], int(np.count_nonzero(chosen)))
        yield from zip(outlines, self._pixels[chosen].tolist(), self._sums[chosen], strict=True)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        number, mine = np.cumsum(kept) - 1, kept[self._of]
        self._runs = Runs(*(part[mine] for part in self._runs))
        self._of = number[self._of[mine]]
        self._pixels, self._sums = self._pixels[kept], self._sums[kept]


def _none() -> Runs:
    nothing = np.zeros(0, np.int64)
    return Runs(nothing, nothing, nothing)


def _added(group: NDArray[np.int64], values: NDArray[Any], count: int) -> NDArray[Any]:
    added = np.zeros((count, *values.shape[1:]), values.dtype)
    np.add.at(added, group, values)
    return added
