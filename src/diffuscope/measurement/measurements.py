"""The pathologist's numbers of a result: tissue area, DAB-positive area, mean OD, positive objects.

Read in bands of one row of chunks, a few chunks at a time: of a whole band only which px are positive is kept,
so that memory hardly grows with the width of a result, and not with its area. Several bands are worked on at once.
"""

from __future__ import annotations

import csv
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.put import in_place_of
from diffuscope.measurement.objects import Labelled, ObjectCounter, label_strip
from diffuscope.ports.stains import Stain, find_stains
from diffuscope.results.chunks import read_box
from diffuscope.results.layout import open_images
from diffuscope.stains.deconvolution import dab_density

if TYPE_CHECKING:
    from diffuscope.results.result import Result
    from diffuscope.results.tissue import TissueMap

DAB_THRESHOLD = 0.15
"""OD above which a pixel counts as DAB-positive where the run record gives no ``dab_threshold``."""

MIN_OBJECT_UM2 = 8.0
"""Smallest positive object that is counted, µm²; the smallest that the coarse training masks keep."""

BAND = 256
"""Rows that are read at once, which is one row of chunks."""

# Columns that are read at once; rows whose labels are made at once.
_COLUMNS, _STRIP = 4096, 32
# Bands that are worked on at once, at most: each holds a byte for every px of it.
_AT_ONCE = 8


def measure(result: Result, *, min_object_um2: float = MIN_OBJECT_UM2) -> list[dict[str, Any]]:
    """Measure DAB in the tissue of a result.

    A pixel is positive if it is tissue, inside the drawn outline, and its DAB density is above the
    threshold. An object is a set of positive pixels that touch, corners included. DAB is a stain's map
    (the mean over samples), or computed from its colour image where there is none.

    Parameters
    ----------
    result : Result
        As opened; one that is not complete is measured as it stands, and the row says so.
    min_object_um2 : float
        Smaller objects are not counted, µm².

    Returns
    -------
    list of dict
        One row per stain, none where the result shows none: ``region`` (level-0 px, or "all tissue"), ``stain`` where
        there are several, ``complete``, ``tissue_area_mm2``, ``dab_positive_percent`` (of the tissue's area),
        ``mean_dab_od`` (in tissue), ``positive_objects``, ``threshold_od``, ``min_object_um2``, ``um_per_px``.
        Percentage and mean are None where there is no tissue.

    Raises
    ------
    InputError
        The result has no tissue mask.
    """
    stains = find_stains(result.ports)
    if not stains:
        return []
    if result.tissue is None:
        raise InputError(f"{result.path.name} has no tissue mask and cannot be measured: run it again.")
    region = result.record.get("parameters", {}).get("region") or "all tissue"
    return [
        {
            "region": region,
            **({"stain": stain.name} if len(stains) > 1 else {}),
            **_measure_stain(result, result.tissue, stain, min_object_um2=min_object_um2),
        }
        for stain in stains
    ]


def _measure_stain(result: Result, mask: TissueMap, stain: Stain, *, min_object_um2: float) -> dict[str, Any]:
    image = open_stain(result, mask, stain, min_object_um2=min_object_um2)
    counter = ObjectCounter(image.shape[1], min_pixels=image.min_pixels)
    tissue_pixels, positive_pixels, total = 0, 0, 0.0
    for band in _bands(image):
        tissue_pixels += band.tissue_pixels
        positive_pixels += band.positive_pixels
        total += band.total
        for strip in band.strips:
            counter.join(strip)
    return {
        "complete": result.complete,
        "tissue_area_mm2": tissue_pixels * result.mpp**2 / 1e6,
        "dab_positive_percent": 100.0 * positive_pixels / tissue_pixels if tissue_pixels else None,
        "mean_dab_od": total / tissue_pixels if tissue_pixels else None,
        "positive_objects": counter.finish(),
        "threshold_od": image.threshold,
        "min_object_um2": min_object_um2,
        "um_per_px": result.mpp,
    }


@dataclass(frozen=True, eq=False)
class StainImage:
    """The image in which a stain is measured.

    Attributes
    ----------
    array : zarr.Array (c, h, w)
        Finest level of its DAB, or of its colours where there is no map of it.
    mask : TissueMap
        Where the tissue lies.
    threshold : float
        OD above which a px is positive.
    min_pixels : int
        Smallest object that is counted.
    is_rgb : bool
        Whether it is of colours.
    """

    array: zarr.Array[Any]
    mask: TissueMap
    threshold: float
    min_pixels: int
    is_rgb: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), px."""
        return self.array.shape[1], self.array.shape[2]

    def read(self, y: int, height: int) -> Iterator[tuple[int, NDArray[np.floating], NDArray[np.bool_]]]:
        """Yield first column, DAB (OD) and what of it is tissue, of some rows, a few columns at a time."""
        for x in range(0, self.shape[1], _COLUMNS):
            read = read_box(self.array, (y, x, height, min(_COLUMNS, self.shape[1] - x)))
            dab = dab_density(np.moveaxis(read, 0, -1)) if self.is_rgb else read[0]
            yield x, dab, self.mask.read(y, x, *dab.shape)


def open_stain(result: Result, mask: TissueMap, stain: Stain, *, min_object_um2: float) -> StainImage:
    """Open the image in which a stain of a result is measured (see `measure`)."""
    port = stain.dab or stain.colour
    assert port is not None
    root = zarr.open_group(result.path, mode="r", zarr_format=2)
    return StainImage(
        array=open_images(root, result.ports)[port.key][0],
        mask=mask,
        threshold=float(result.record.get("parameters", {}).get("dab_threshold", DAB_THRESHOLD)),
        min_pixels=max(1, ceil(min_object_um2 / result.mpp**2 - 1e-9)),
        is_rgb=port.kind == "rgb",
    )


@dataclass(frozen=True, eq=False)
class _Band:
    """What is counted in a band, and the components of its strips."""

    tissue_pixels: int
    positive_pixels: int
    total: float
    strips: list[Labelled]


def _bands(image: StainImage) -> Iterator[_Band]:
    """Yield the bands of an image from top to bottom."""
    threads, under_way = min(_AT_ONCE, os.cpu_count() or 1), deque[Future[_Band]]()
    with ThreadPoolExecutor(threads, "diffuscope-measure") as pool:
        for y in range(0, image.shape[0], BAND):
            under_way.append(pool.submit(_band, image, y))
            if len(under_way) == threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _band(image: StainImage, y: int) -> _Band:
    height, width = min(BAND, image.shape[0] - y), image.shape[1]
    positive = np.zeros((height, width), np.bool_)
    tissue_pixels, total = 0, 0.0
    for x, dab, tissue in image.read(y, height):
        np.logical_and(tissue, dab > image.threshold, out=positive[:, x : x + dab.shape[1]])
        tissue_pixels += int(np.count_nonzero(tissue))
        total += float(dab[tissue].sum(dtype=np.float64))
    strips = [label_strip(positive[top : top + _STRIP]) for top in range(0, height, _STRIP)]
    return _Band(tissue_pixels, int(np.count_nonzero(positive)), total, strips)


def write_csv(rows: Sequence[Mapping[str, Any]], path: str | Path, *, replace: bool) -> None:
    """Write measured rows as CSV; what is None stays empty.

    Parameters
    ----------
    rows : sequence of dict
        As `measure` returns them, at least one; all with the same columns.
    path : str or Path
        File to write.
    replace : bool
        Whether one may be there; it is replaced only once the new one is whole.
    """
    with in_place_of(Path(path), replace=replace) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({column: _text(value) for column, value in row.items()} for row in rows)


def _text(value: Any) -> Any:
    """Six digits are more than any of these numbers deserves; whole numbers and words stay."""
    return f"{value:.6g}" if isinstance(value, float) else value
