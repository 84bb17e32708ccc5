"""Positive cells: of cells that somebody outlined, those whose mean DAB is above the threshold.

No model here outlines all cells of a slide, those that it leaves white least of all, so that without outlines from
elsewhere nobody knows how many cells there are. They come from QuPath (its cell detection, StarDist, InstanSeg,
Cellpose), as GeoJSON.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.measurement.measurements import ends, per_mm2
from diffuscope.measurement.stain_image import open_stain
from diffuscope.ports.stains import Stain
from diffuscope.scans.qupath.annotations import Annotations, read_annotations

if TYPE_CHECKING:
    from diffuscope.results.result import Result

# Cells whose place lies in one such square of the canvas, px, are read at once.
_SQUARE = 1024
# Decimals of a px to which a middle is known: sums of corners are wrong by less.
_DIGITS = 6
# What QuPath calls an outline of a cell.
_KINDS = ("cell", "detection")


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells in the measured tissue of a result.

    Attributes
    ----------
    dab : ndarray of float64 (n,)
        Mean OD of DAB inside each outline.
    each : ndarray of float64 (samples, n)
        The same in each sample that the result keeps; (0, n) of a result of one sample.
    outside : int
        How many more the file has, which lie off the measured tissue.
    """

    dab: NDArray[np.float64]
    each: NDArray[np.float64]
    outside: int

    def row(self, threshold: float, *, area_mm2: float) -> dict[str, Any]:
        """Return the columns of a table.

        Parameters
        ----------
        threshold : float
            OD above which a cell is positive.
        area_mm2 : float
            Of the tissue.
        """
        positive = int((self.dab > threshold).sum())
        row: dict[str, Any] = {
            "cells": len(self.dab),
            "cells_per_mm2": per_mm2(len(self.dab), area_mm2),
            "positive_cells": positive,
            "positive_cells_percent": 100.0 * positive / len(self.dab) if len(self.dab) else None,
            "positive_cells_per_mm2": per_mm2(positive, area_mm2),
        }
        if len(self.each) and len(self.dab):
            row |= ends("positive_cells_percent", (100.0 * (self.each > threshold).mean(axis=1)).tolist())
        return row


def read_cells(path: str | Path) -> Annotations:
    """Read outlines of cells.

    Raises
    ------
    InputError
        The file is none of GeoJSON, or holds neither cells nor detections.
    """
    read = read_annotations(path)
    for kind in _KINDS:
        found = tuple(one for one in read.found if one.kind == kind)
        if found:
            return Annotations(path=read.path, found=found, notices=read.notices)
    raise InputError(
        f"{read.path.name} holds no cells: detect cells in QuPath, and export them (File › Export objects as GeoJSON)."
    )


def without_own(outlines: Annotations, result: Result) -> Annotations:
    """Return outlines without those that are positive objects of ours: an export gives them the name of an output.

    Raises
    ------
    InputError
        There are no others.
    """
    own = {port.name for port in result.ports}
    found = tuple(one for one in outlines.found if one.category not in own)
    left = len(outlines.found) - len(found)
    if not found:
        raise InputError(
            f"{outlines.path.name} holds the objects that Diffuscope found positive, and no cells: detect all cells in "
            "QuPath, and export those."
        )
    told = f"{outlines.path.name}: {left:,} objects that Diffuscope found positive are no cells and do not count."
    return Annotations(path=outlines.path, found=found, notices=(*outlines.notices, *([told] if left else [])))


def measure_cells(result: Result, stain: Stain, outlines: Annotations) -> Cells:
    """Find how much DAB there is in each cell.

    A cell counts where the middle of its outline, its centre of area, lies on tissue inside the drawn region; that of a
    crescent lies beside it and decides all the same, as in QuPath. Its DAB is the mean over the px of the result that
    were computed and whose middle lies in the outline; of one that holds the middle of none, as smaller than a px, that
    of the px where its own middle lies. A cell whose middle lies where nothing was computed does not count.

    Parameters
    ----------
    result : Result
        With a tissue mask.
    stain : Stain
        One of its stains.
    outlines : Annotations
        In px of the slide's finest level, as `read_cells` returns them.

    Raises
    ------
    InputError
        The result has no tissue mask.
    """
    if result.tissue is None:
        raise InputError(f"{result.path.name} has no tissue mask and cannot be measured: run it again.")
    image = open_stain(result, result.tissue, stain, each_sample=True)
    top, left = result.window[:2]
    shapes = shapely.transform(
        [one.outline for one in outlines.found],
        lambda corners: corners / (result.place.factors[1], result.place.factors[0]) - (left, top),
    )
    middles = shapely.get_coordinates(shapely.centroid(shapes))
    # Rounded, so that the middle of a cell that lies on the edge of a px stays there.
    columns, rows = np.floor(middles.round(_DIGITS)).astype(np.int64).T
    height, width = image.shape
    there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    squares: Mapping[tuple[int, int], list[int]] = defaultdict(list)
    for number in np.flatnonzero(there):
        squares[int(rows[number]) // _SQUARE, int(columns[number]) // _SQUARE].append(int(number))
    means: list[NDArray[np.float64]] = []
    for members in squares.values():
        counted = [n for n in members if image.mask.read(int(rows[n]), int(columns[n]), 1, 1)[0, 0]]
        if counted:
            box = _box(shapes[counted], image.shape)
            found, known = image.block(box), image.computed(box)
            for n in counted:
                place = int(rows[n]), int(columns[n])
                if known[place[0] - box[0], place[1] - box[1]]:
                    means.append(_mean(found, known, box, shapes[n], place))
    table = np.array(means, np.float64).reshape(len(means), 1 + image.samples)
    return Cells(dab=table[:, 0], each=table[:, 1:].T, outside=len(shapes) - len(means))


def _box(shapes: Any, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return (y, x, height, width) on the canvas around outlines."""
    x0, y0, x1, y1 = shapely.total_bounds(shapes)
    low = np.maximum(np.floor([y0, x0]).astype(int), 0)
    high = np.minimum(np.ceil([y1, x1]).astype(int) + 1, size)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _mean(
    found: NDArray[np.floating],
    known: NDArray[np.bool_],
    box: tuple[int, int, int, int],
    shape: Any,
    place: tuple[int, int],
) -> NDArray[np.float64]:
    """Return the means of channels (c, h, w) of a box inside one outline, over the px that are known (h, w)."""
    top, left, height, width = _box([shape], (box[0] + box[2], box[1] + box[3]))
    y, x = np.mgrid[top : top + height, left : left + width]
    part = np.s_[top - box[0] : top - box[0] + height, left - box[1] : left - box[1] + width]
    inside = shapely.contains_xy(shape, x + 0.5, y + 0.5) & known[part]
    if not inside.any():
        return found[:, place[0] - box[0], place[1] - box[1]].astype(np.float64)
    return found[:, *part][:, inside].mean(axis=1, dtype=np.float64)
