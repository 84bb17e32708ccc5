"""Outlines of sets of px, along the edges of the px: filled again they give the same px.

Px of a set that touch by a corner only are parts of their own, so that each outline is a valid polygon.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Runs(NamedTuple):
    """Px as runs along rows, as long as they can be.

    Attributes
    ----------
    rows, starts, stops : ndarray of int (runs,)
        Row, first px and the one after the last.
    """

    rows: Ints
    starts: Ints
    stops: Ints


class _Corners(NamedTuple):
    """Where outlines turn, two of them where four px touch crosswise."""

    y: Ints
    x: Ints
    of: Ints  # which set
    right: Ints  # whether the edge along the row goes to the right; told where two lie in one place
    down: Ints  # whether the other edge goes down; likewise
    inner: NDArray[np.bool_]  # of the left end of an edge along the row: whether the set lies below it
    twice: NDArray[np.bool_]  # whether two lie here


def find_runs(mask: NDArray[np.bool_]) -> Runs:
    """Return the px of a mask, from top to bottom and from left to right."""
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    return Runs(rows, starts, np.nonzero(steps == -1)[1])


def outline(runs: Runs, of: NDArray[np.integer], count: int) -> list[Any]:
    """Return the outlines of sets of px.

    Parameters
    ----------
    runs : Runs
        Of all sets. Px of two sets do not touch, nor by a corner.
    of : ndarray of int (runs,)
        Which set each belongs to, from 0.
    count : int
        How many sets there are, none of them empty.

    Returns
    -------
    list of shapely.Polygon or shapely.MultiPolygon
        Valid, their corners (x, y) where edges of px meet; (0, 0) is the corner of the first px of the first row.
    """
    shells: list[list[Ints]] = [[] for _ in range(count)]
    holes: list[list[Ints]] = [[] for _ in range(count)]
    corners = _corners(runs, np.asarray(of, np.int64))
    places = np.stack([corners.x, corners.y], axis=1)
    owners = corners.of.tolist()
    for ring, is_inner in _rings(corners):
        points = places[ring]
        x, y = points.T
        area = int(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        (shells if (area > 0) == is_inner else holes)[owners[ring[0]]].append(points)
    return [_polygons(*both) for both in zip(shells, holes, strict=True)]


def _corners(runs: Runs, of: Ints) -> _Corners:
    """Find the corners of all outlines: places where one row begins or ends a run and the next does not go along."""
    rows, x = np.tile(runs.rows, 2), np.concatenate([runs.starts, runs.stops])
    begins, of = np.repeat([True, False], len(of)), np.tile(of, 2)
    width = int(x.max(initial=0)) + 1
    # An end of a run touches the line above its row, being below that, and the line below its row.
    below, above = rows * width + x, (rows + 1) * width + x
    _, lower, upper = np.intersect1d(below, above, assume_unique=True, return_indices=True)
    crosses = begins[lower] != begins[upper]
    lone_lower, lone_upper = np.setdiff1d(np.arange(len(x)), lower), np.setdiff1d(np.arange(len(x)), upper)
    lower = lower[crosses]
    nothing = np.zeros(len(lone_lower) + len(lone_upper), np.int64)
    first, second = np.zeros(len(lower), np.int64), np.ones(len(lower), np.int64)
    falls = begins[lower].astype(np.int64)  # px at the upper left and the lower right, else at the other two places
    parts = (lone_lower, lone_upper, lower, lower)
    return _Corners(
        y=np.concatenate([rows[lone_lower], rows[lone_upper] + 1, rows[lower], rows[lower]]),
        x=np.concatenate([x[part] for part in parts]),
        of=np.concatenate([of[part] for part in parts]),
        right=np.concatenate([nothing, first, second]),
        down=np.concatenate([nothing, 1 - falls, falls]),
        inner=np.concatenate([begins[lone_lower], ~begins[lone_upper], begins[lower], begins[lower]]),
        twice=np.repeat([False, True], [len(nothing), 2 * len(lower)]),
    )


def _rings(corners: _Corners) -> Iterator[tuple[list[int], bool]]:
    """Yield the corners of each ring in order, and whether the set lies at its inside where its area is positive."""
    along, across = np.empty(len(corners.x), np.int64), np.empty(len(corners.x), np.int64)
    by_rows = np.lexsort((corners.right, corners.x, corners.y))
    by_columns = np.lexsort((corners.down, corners.y, corners.x))
    # On one line edges do not overlap: the first corner goes with the second, the third with the fourth.
    for partner, order in ((along, by_rows), (across, by_columns)):
        partner[order[::2]], partner[order[1::2]] = order[1::2], order[::2]
    across_of, along_of = across.tolist(), along.tolist()
    twice, place = corners.twice.tolist(), (corners.y * (int(corners.x.max(initial=0)) + 1) + corners.x).tolist()
    seen = [False] * len(across_of)
    for start in by_rows[::2].tolist():
        if seen[start]:
            continue
        path, at, touches = [], start, False
        while not seen[at]:
            following = along_of[at]
            seen[at] = seen[following] = True
            path += [at, following]
            touches = touches or twice[at] or twice[following]
            at = across_of[following]
        for ring in _simple(path, twice, place) if touches else (path,):
            yield ring, bool(corners.inner[start])


def _simple(path: list[int], twice: list[bool], place: list[int]) -> Iterator[list[int]]:
    """Cut a ring that comes to one place twice into rings that do not."""
    ring: list[int] = []
    met: dict[int, int] = {}
    for corner in path:
        if twice[corner]:
            if (since := met.get(place[corner])) is not None:
                yield ring[since:]
                for gone in ring[since:]:
                    met.pop(place[gone], None)
                del ring[since:]
            met[place[corner]] = len(ring)
        ring.append(corner)
    yield ring


def _polygons(shells: list[Ints], holes: list[Ints]) -> Any:
    """Put outer and inner rings of one set together."""
    if len(shells) == 1:
        return shapely.Polygon(shells[0], holes)
    whole = [shapely.Polygon(shell) for shell in shells]
    inside: list[list[Ints]] = [[] for _ in shells]
    for hole in holes:
        # A part may lie in another's hole and touch its rim: the smallest around a hole is whose it is.
        around = [number for number, one in enumerate(whole) if one.covers(shapely.Polygon(hole))]
        inside[min(around, key=lambda number: whole[number].area)].append(hole)
    return shapely.MultiPolygon(list(zip(shells, inside, strict=True)))
