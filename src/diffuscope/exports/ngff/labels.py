"""What was found in a slide's result, as label images of an OME-Zarr: tissue, and every object that is counted."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from diffuscope.measurement.positives import find_positives, stains_counted
from diffuscope.measurement.stain_image import smallest_counted
from diffuscope.results.layout import multiscale

if TYPE_CHECKING:
    from diffuscope.results.result import Result

_VERSION = "0.5"
_TISSUE = (255, 200, 0, 96)
# Brown as DAB first; then what is told from it, and from each other, by people who see no red or no green.
_STAINS = ((139, 69, 19, 255), (0, 114, 178, 255), (0, 158, 115, 255), (204, 121, 167, 255))
_CHUNK = 512
# Chunks of labels that are held before they are written: 64 MB.
_HELD = 64


def write_labels(root: zarr.Group, result: Result) -> None:
    """Write the label images of a slide's result; none where it has no tissue mask.

    Parameters
    ----------
    root : zarr.Group
        Of the main image, zarr v3.
    result : Result
        Of a slide.
    """
    if result.tissue is None:
        return
    labels = root.create_group("labels")
    levels = len(next(iter(result.images.values())))
    tissue = _group(labels, "tissue", result, levels, color=_TISSUE)
    array = _create(tissue, "0", result.window[2:], np.uint8)
    for y in range(0, array.shape[0], _CHUNK):
        for x in range(0, array.shape[1], _CHUNK):
            height, width = min(_CHUNK, array.shape[0] - y), min(_CHUNK, array.shape[1] - x)
            array[y : y + height, x : x + width] = result.tissue.read(y, x, height, width)
    _reduce(tissue, levels)
    smallest = smallest_counted(result)
    stains = stains_counted(result)
    for number, stain in enumerate(stains):
        group = _group(labels, f"{stain.name} objects", result, levels, color=_STAINS[number % len(_STAINS)])
        canvas = _Canvas(_create(group, "0", result.window[2:], np.uint32))
        for label, one in enumerate(find_positives(result, stain, min_object_um2=smallest), start=1):
            canvas.draw(one.outline, label)
        canvas.flush()
        _reduce(group, levels)
    labels.attrs["ome"] = {"version": _VERSION, "labels": ["tissue", *(f"{stain.name} objects" for stain in stains)]}


def _reduce(group: zarr.Group, levels: int) -> None:
    """Write the coarser levels: of 2 x 2 px the first, as a mean of labels is none."""
    for level in range(1, levels):
        finer: Any = group[str(level - 1)]
        array = _create(group, str(level), tuple(-(-side // 2) for side in finer.shape), finer.dtype)
        for y in range(0, array.shape[0], _CHUNK):
            array[y : y + _CHUNK] = np.asarray(finer[2 * y : 2 * (y + _CHUNK)])[::2, ::2]


class _Canvas:
    """A label image being drawn, of which some chunks are held."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array
        self._held: OrderedDict[tuple[int, int], NDArray[np.uint32]] = OrderedDict()

    def draw(self, outline: Any, label: int) -> None:
        """Give the px inside an outline a label."""
        left, top, right, bottom = (round(side) for side in outline.bounds)
        rows, columns = np.arange(top, bottom) + 0.5, np.arange(left, right) + 0.5
        shapely.prepare(outline)
        inside = shapely.contains_xy(outline, *np.meshgrid(columns, rows))
        for y in range(top // _CHUNK, -(-bottom // _CHUNK)):
            for x in range(left // _CHUNK, -(-right // _CHUNK)):
                chunk = self._chunk(y, x)
                y0, x0 = y * _CHUNK, x * _CHUNK
                part = inside[max(y0 - top, 0) : y0 + _CHUNK - top, max(x0 - left, 0) : x0 + _CHUNK - left]
                at = chunk[max(top - y0, 0) :, max(left - x0, 0) :][: part.shape[0], : part.shape[1]]
                at[part[: at.shape[0], : at.shape[1]]] = label

    def flush(self) -> None:
        """Write what is held."""
        for at in list(self._held):
            self._write(at)

    def _chunk(self, y: int, x: int) -> NDArray[np.uint32]:
        if (y, x) in self._held:
            self._held.move_to_end((y, x))
            return self._held[y, x]
        while len(self._held) >= _HELD:
            self._write(next(iter(self._held)))
        self._held[y, x] = np.array(self._array[self._box(y, x)])
        return self._held[y, x]

    def _write(self, at: tuple[int, int]) -> None:
        self._array[self._box(*at)] = self._held.pop(at)

    def _box(self, y: int, x: int) -> tuple[slice, slice]:
        return slice(y * _CHUNK, (y + 1) * _CHUNK), slice(x * _CHUNK, (x + 1) * _CHUNK)


def _group(labels: zarr.Group, name: str, result: Result, levels: int, *, color: tuple[int, ...]) -> zarr.Group:
    stated = multiscale(name, levels, (result.mpp, result.mpp), result.origin)
    del stated["version"]
    stated["axes"] = stated["axes"][1:]
    stated["type"] = "nearest"
    for dataset in stated["datasets"]:
        scale, translation = dataset["coordinateTransformations"]
        scale["scale"] = scale["scale"][1:]
        # The centre of the first of 2 x 2 px stays where it is.
        translation["translation"] = list(result.origin)
    group = labels.create_group(name)
    group.attrs["ome"] = {
        "version": _VERSION,
        "multiscales": [stated],
        "image-label": {"colors": [{"label-value": 1, "rgba": list(color)}], "source": {"image": "../../"}},
    }
    return group


def _create(group: zarr.Group, name: str, shape: tuple[int, ...], dtype: Any) -> zarr.Array[Any]:
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(_CHUNK, _CHUNK),
        compressors=ZstdCodec(level=1),
        fill_value=0,
        dimension_names=("y", "x"),
    )
