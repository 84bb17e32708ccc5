"""Which px of a canvas were computed, whatever their value: white that a model painted is no hole.

One zarr array, a byte a tile of the plan's grid: what was planned, and what was there when the result was last
finished. What a run has done since is in its ledger. Both are read from disk at each look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import zarr
from numpy.typing import NDArray

from diffuscope.results.cache import FOLDER, LEDGER
from diffuscope.results.ledger import Ledger
from diffuscope.tiling.axis import Axis
from diffuscope.tiling.plan import Plan

PATH = "coverage"
_PLANNED, _DONE = 1, 2

Bools = NDArray[np.bool_]


def keep_coverage(root: zarr.Group, plan: Plan, done: Bools) -> None:
    """Write what of a plan is done, as `Plan.selected`; parts of it count as they are on disk.

    Parameters
    ----------
    root : zarr.Group
        The result.
    plan : Plan
        What is computed.
    done : ndarray of bool
        As `Plan.selected`.
    """
    if PATH not in root:
        polygon = plan.polygon
        array: Any = root.create_array(
            PATH,
            shape=plan.selected.shape,
            chunks=plan.selected.shape,
            dtype="uint8",
            fill_value=0,
            chunk_key_encoding={"name": "v2", "separator": "."},
        )
        array.attrs.update(
            {
                "axes": [asdict(axis) for axis in plan.axes],
                "polygon": None if polygon is None else [list(point) for point in polygon.exterior.coords],
            }
        )
    tiles: Any = root[PATH]
    tiles[...] = np.where(done, _DONE, np.where(plan.selected, _PLANNED, 0)).astype(np.uint8)


def load_coverage(path: Path, root: zarr.Group, window: tuple[int, ...]) -> Coverage | None:
    """Return what of a result in a folder was computed; None where it was written before that was kept.

    Parameters
    ----------
    path : Path
        Of the result.
    root : zarr.Group
        It, opened.
    window : tuple of int
        (*starts, *lengths) of its canvas.

    Raises
    ------
    ValueError
        What is told does not fit the canvas.
    """
    if PATH not in root:
        return None
    array: Any = root[PATH]
    axes = tuple(Axis(**one) for one in array.attrs["axes"])
    told = (*(axis.start for axis in axes), *(axis.length for axis in axes))
    if told != tuple(window) or not all(0 <= 2 * axis.overlap <= axis.tile > 0 for axis in axes):
        raise ValueError("what was computed is told of another canvas")
    grid = tuple(stop - first for first, stop in (axis.indices for axis in axes))
    if array.shape != grid or array.chunks != grid or array.dtype != np.uint8 or array.nbytes > 2**30:
        raise ValueError("what was computed is told of another grid")
    polygon = array.attrs["polygon"]
    return Coverage(path=path, axes=axes, polygon=None if polygon is None else shapely.Polygon(polygon))


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What of a result was computed.

    Attributes
    ----------
    path : Path
        Of the result.
    axes : tuple of Axis
        Of its plan.
    polygon : shapely.Polygon or None
        Drawn outline in model px.
    """

    path: Path
    axes: tuple[Axis, ...]
    polygon: shapely.Polygon | None

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What changes when something was computed."""
        return _stamp(self._ledger), _stamp(self.path / PATH / ".".join("0" * len(self.axes)))

    def read(self) -> Covered:
        """Return what is computed now; nothing where the result was taken away."""
        try:
            group: Any = zarr.open_group(self.path, mode="r", zarr_format=2)
            tiles = np.asarray(group[PATH][...])
        except (OSError, KeyError):
            tiles = np.zeros([stop - first for first, stop in (axis.indices for axis in self.axes)], np.uint8)
        selected, kept, done = tiles > 0, tiles == _DONE, np.zeros(tiles.shape, bool)
        for index in Ledger(self._ledger, len(self.axes)).at_a_glance():
            slot = tuple(i - axis.indices[0] for i, axis in zip(index, self.axes, strict=True))
            if all(0 <= i < n for i, n in zip(slot, tiles.shape, strict=True)):
                done[slot] = True
        # a cell is composed once all that reach into it are there; at the end of a run, of those that are
        near = [axis.reach for axis in self.axes]
        composed = ~_any(selected & ~(done | kept), near)
        parts = np.zeros([2 * n for n in tiles.shape], bool)
        for halves in product((0, 1), repeat=len(self.axes)):
            # the first px of a cell are the overlap of two tiles, the others are of its own tile alone
            reach = [axis.reach if half == 0 else (0,) for half, axis in zip(halves, self.axes, strict=True)]
            parts[tuple(slice(half, None, 2) for half in halves)] = _any(kept, reach) | (composed & _any(done, reach))
        return Covered(self, parts)

    def inside(self, spans: Sequence[range], factors: Sequence[int] = (1, 1)) -> Bools:
        """Return which px of a box, which may reach beyond the canvas, lie on the canvas and inside the outline.

        Parameters
        ----------
        spans : sequence of range
            Px of a level of the pyramid, from the canvas's corner on.
        factors : sequence of int
            Px of the finest level per px of this one.
        """
        found = np.ones([len(span) for span in spans], bool)
        for number, (span, axis, factor) in enumerate(zip(spans, self.axes, factors, strict=True)):
            shape = [-1 if one == number else 1 for one in range(len(spans))]
            found &= np.reshape([0 <= px * factor < axis.length for px in span], shape)
        return found if self.polygon is None else found & _inside(self.polygon, self.axes, spans, factors)

    @property
    def _ledger(self) -> Path:
        return self.path / FOLDER / LEDGER


class Watched:
    """What of a result was computed as of now, read again when something was.

    Parameters
    ----------
    coverage : Coverage
        Of the result.
    """

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._known: tuple[Any, Covered | None] = (None, None)

    def now(self) -> Covered:
        """Return what is computed now."""
        stamp = self._coverage.stamp
        known, covered = self._known
        if known != stamp or covered is None:
            covered = self._coverage.read()
            self._known = stamp, covered
        return covered


class Covered:
    """What of a canvas was computed at some moment.

    Parameters
    ----------
    coverage : Coverage
        Of the result.
    parts : ndarray of bool
        Which parts of cells are there, two a cell along each axis: what its tile shares with the one before, and the
        rest.
    """

    def __init__(self, coverage: Coverage, parts: Bools) -> None:
        self._coverage = coverage
        # asked of every piece in sight whenever the window moves
        self._counts: dict[tuple[Any, ...], tuple[int, int]] = {}
        # sums from the first part on, so that a box is the sum of its corners
        self._sums = np.pad(parts.astype(np.int64), [(1, 0)] * parts.ndim)
        for axis in range(parts.ndim):
            np.cumsum(self._sums, axis=axis, out=self._sums)

    def count(self, spans: Sequence[range], factors: Sequence[int]) -> int:
        """Return how many parts of cells that a box touches are there; 0: nothing of it was computed.

        Parameters
        ----------
        spans : sequence of range
            The box on a level of the pyramid, along (y, x) or (z, y, x).
        factors : sequence of int
            Px of the finest level per px of this one.
        """
        return self._count(spans, factors)[0]

    def is_whole(self, spans: Sequence[range], factors: Sequence[int]) -> bool:
        """Return whether all of a box was computed (parameters as of `count`); no px of an outline is looked at."""
        there, touched = self._count(spans, factors)
        return there == touched and self._coverage.polygon is None

    def mask(self, spans: Sequence[range], factors: Sequence[int]) -> Bools:
        """Return which px of a box were computed, in part at least (parameters as of `count`)."""
        along = enumerate(zip(spans, factors, strict=True))
        found = self._between([self._edges(axis, span, factor) for axis, (span, factor) in along]) > 0
        polygon = self._coverage.polygon
        return found if polygon is None else found & _inside(polygon, self._coverage.axes, spans, factors)

    def _count(self, spans: Sequence[range], factors: Sequence[int]) -> tuple[int, int]:
        """Return of the parts of cells that a box touches how many are there, and how many there can be."""
        asked = (*spans, *factors)
        if asked not in self._counts:
            ends = [(range(span.start, span.start + 1), range(span.stop - 1, span.stop)) for span in spans]
            edges = [
                (self._edges(axis, first, factor)[0], self._edges(axis, last, factor)[1])
                for axis, ((first, last), factor) in enumerate(zip(ends, factors, strict=True))
            ]
            touched = prod(int(after[0] - first[0]) for first, after in edges)
            self._counts[asked] = int(self._between(edges).sum()), touched
        return self._counts[asked]

    def _edges(self, axis: int, span: range, factor: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first part of a cell that each px touches, and the one after its last."""
        along = self._coverage.axes[axis]
        first = np.arange(span.start, span.stop) * factor
        last = np.minimum(first + factor, along.length) - 1
        both = []
        for px in (first, last):
            cell, at = np.divmod(px + along.start, along.stride)
            both.append(2 * (cell - along.indices[0]) + (at >= along.overlap))
        return both[0], both[1] + 1

    def _between(self, edges: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> NDArray[np.int64]:
        found: Any = 0
        for corner in product((0, 1), repeat=len(edges)):
            sign = -1 if (len(edges) - sum(corner)) % 2 else 1
            found += sign * self._sums[np.ix_(*(edge[end] for edge, end in zip(edges, corner, strict=True)))]
        counts: NDArray[np.int64] = found
        return counts


def _inside(polygon: shapely.Polygon, axes: Sequence[Axis], spans: Sequence[range], factors: Sequence[int]) -> Bools:
    """Return which px have the centre of one of the finest level inside an outline; of a coarse one five are asked."""
    ends = [
        (axis.start + span.start * factor, axis.start + span.stop * factor)
        for axis, span, factor in zip(axes, spans, factors, strict=True)
    ]
    if polygon.contains(shapely.box(ends[1][0], ends[0][0], ends[1][1], ends[0][1])):
        return np.ones([len(span) for span in spans], bool)  # as the px one by one, in no time
    found: Bools | None = None
    for offset in ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)):
        y, x = (
            axis.start + np.arange(span.start, span.stop) * factor + 0.5 + part * (factor - 1)
            for axis, span, factor, part in zip(axes, spans, factors, offset, strict=True)
        )
        columns, rows = np.meshgrid(x, y)
        here = shapely.contains_xy(polygon, columns, rows)
        found = here if found is None else found | here
        if tuple(factors) == (1, 1):
            break
    assert found is not None
    return found


def _any(tiles: Bools, near: Sequence[Sequence[int]]) -> Bools:
    """Return for each cell whether any of the tiles so many places before it is one of some."""
    found = np.zeros_like(tiles)
    for steps in product(*near):
        to = tuple(slice(step, None) for step in steps)
        of = tuple(slice(None, n - step) for n, step in zip(tiles.shape, steps, strict=True))
        found[to] |= tiles[of]
    return found


def _stamp(file: Path) -> Any:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino, about.st_size
