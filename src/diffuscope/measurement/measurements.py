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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.put import in_place_of
from diffuscope.measurement.objects import Labelled, ObjectCounter, label_strip
from diffuscope.measurement.stain_image import MIN_OBJECT_UM2, StainImage, open_stain, smallest_counted
from diffuscope.measurement.table import as_text
from diffuscope.measurement.threshold import with_threshold
from diffuscope.ports.stains import find_stains

if TYPE_CHECKING:
    from diffuscope.results.result import Result

BAND = 256
"""Rows that are read at once, which is one row of chunks."""

# Rows whose labels are made at once.
_STRIP = 32
# What is told of each sample: the tissue is the same in all.
_OF_SAMPLES = ("dab_positive_percent", "mean_dab_od", "positive_objects", "positive_per_mm2")
# Bands that are worked on at once, at most: each holds a byte for every px of it.
_AT_ONCE = 8


def measure(
    result: Result, *, min_object_um2: float = MIN_OBJECT_UM2, threshold: float | None = None, each_sample: bool = True
) -> list[dict[str, Any]]:
    """Measure DAB in the tissue of a result.

    A pixel is positive if it is tissue, inside the drawn outline, and its DAB density is above the
    threshold. An object is a set of positive pixels that touch, corners included. DAB is a stain's map
    (the mean over samples), or computed from its colour image where there is none.

    Parameters
    ----------
    result : Result
        As opened; of one that is not complete what was computed is measured, and the row says so.
    min_object_um2 : float
        Smaller objects are not counted, µm².
    threshold : float, optional
        OD; default that of its record.
    each_sample : bool
        Whether the samples are measured that a result of several keeps.

    Returns
    -------
    list of dict
        One row per stain, none where the result shows none: ``region_name`` and ``region_class`` where there is one,
        ``region`` (level-0 px, or "all tissue"), ``stain`` where there are several, ``complete``, ``tissue_area_mm2``,
        ``dab_positive_percent`` (of the tissue's area), ``mean_dab_od`` (in tissue), ``positive_objects``,
        ``positive_per_mm2`` (of tissue), ``threshold_od``, ``min_object_um2``, ``um_per_px``. Percentage, mean and
        density are None where there is no tissue. Of several samples their number, ``samples``, and the lowest and the
        highest that one of them gives by itself (``dab_positive_percent_low``, ``…_high``, and so on).

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
    return [
        {
            **_place_of(result),
            **({"stain": stain.name} if len(stains) > 1 else {}),
            **_measure_stain(
                result,
                open_stain(
                    result,
                    result.tissue,
                    stain,
                    min_object_um2=min_object_um2,
                    threshold=threshold,
                    each_sample=each_sample,
                ),
                min_object_um2=min_object_um2,
            ),
        }
        for stain in stains
    ]


def _place_of(result: Result) -> dict[str, str]:
    """Return what was measured: where it lies, and what whoever drew it calls it."""
    drawn = result.record.get("drawn", {})
    region = result.record.get("parameters", {}).get("region") or "all tissue"
    told = {"region_name": drawn.get("name"), "region_class": drawn.get("class"), "region": region}
    return {column: text for column, text in told.items() if text}


def _measure_stain(result: Result, image: StainImage, *, min_object_um2: float) -> dict[str, Any]:
    figures, *samples = _figures(image, result.mpp)
    spread: dict[str, Any] = {"samples": len(samples)} if samples else {}
    for column in _OF_SAMPLES if samples else ():
        spread |= ends(column, [one[column] for one in samples])
    return {
        "complete": result.complete,
        **figures,
        **spread,
        "threshold_od": image.threshold,
        "min_object_um2": min_object_um2,
        "um_per_px": result.mpp,
    }


def ends(column: str, values: Sequence[float | None]) -> dict[str, float | None]:
    """Return the lowest and the highest of what samples give, as columns; None where that is not known."""
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (None, None)
    return {f"{column}_low": low, f"{column}_high": high}


def per_mm2(count: int, area_mm2: float) -> float | None:
    """Return a count by area; None of no area."""
    return count / area_mm2 if area_mm2 else None


def _figures(image: StainImage, mpp: float) -> list[dict[str, Any]]:
    """Return what is told of the mean over samples, and then of each sample."""
    channels = 1 + image.samples
    counters = [ObjectCounter(image.shape[1], min_pixels=image.min_pixels) for _ in range(channels)]
    tissue, positive, total = 0, np.zeros(channels, np.int64), np.zeros(channels)
    for band in _bands(image):
        tissue += band.tissue_pixels
        positive += band.positive_pixels
        total += band.total
        for counter, strips in zip(counters, band.strips, strict=True):
            for strip in strips:
                counter.join(strip)
    return [
        _row(tissue * mpp**2 / 1e6, tissue, pixels, od, counter.finish())
        for pixels, od, counter in zip(positive.tolist(), total.tolist(), counters, strict=True)
    ]


def _row(area: float, tissue: int, positive: int, total: float, objects: int) -> dict[str, Any]:
    return {
        "tissue_area_mm2": area,
        "dab_positive_percent": 100.0 * positive / tissue if tissue else None,
        "mean_dab_od": total / tissue if tissue else None,
        "positive_objects": objects,
        "positive_per_mm2": per_mm2(objects, area),
    }


@dataclass(frozen=True, eq=False)
class _Band:
    """What is counted in a band, of each channel, and the components of its strips."""

    tissue_pixels: int
    positive_pixels: NDArray[np.int64]
    total: NDArray[np.float64]
    strips: list[list[Labelled]]


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
    positive = np.zeros((1 + image.samples, height, width), np.bool_)
    tissue_pixels, total = 0, np.zeros(len(positive))
    for x, dab, tissue in image.read(y, height):
        np.logical_and(tissue, dab > image.threshold, out=positive[..., x : x + dab.shape[2]])
        tissue_pixels += int(np.count_nonzero(tissue))
        total += dab[:, tissue].sum(axis=1, dtype=np.float64)
    strips = [[label_strip(one[top : top + _STRIP]) for top in range(0, height, _STRIP)] for one in positive]
    return _Band(tissue_pixels, np.count_nonzero(positive, axis=(1, 2)), total, strips)


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


def measured_at(result: Result, threshold: float | None) -> Result:
    """Return a stain's result that states another threshold, with the table that this gives; None: as it is."""
    if threshold is None:
        return result
    stated = replace(result, record=with_threshold(result.record, threshold))
    rows = [
        {column: _text(value) for column, value in row.items()}
        for row in measure(stated, min_object_um2=smallest_counted(result))
    ]
    return replace(stated, table=as_text(rows))


def _text(value: Any) -> Any:
    """Six digits are more than any of these numbers deserves; whole numbers and words stay."""
    return f"{value:.6g}" if isinstance(value, float) else value
