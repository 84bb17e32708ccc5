"""Positive objects counted and found in a thread, for the threshold that was asked for last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from math import isnan
from typing import Any

from napari.qt.threading import create_worker

from diffuscope.errors import InputError
from diffuscope.measurement.threshold import with_threshold
from diffuscope.results.result import Result

#: How many objects are led to: of a whole slide all would be minutes of work, and nobody looks at more.
MOST = 500
Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a threshold makes of a stain.

    Attributes
    ----------
    threshold : float
        OD.
    objects : int
        How many.
    tissue_mm2 : float
        Area of the tissue.
    percent : float or None
        Of the tissue's area that is positive; None where there is no tissue.
    alone : tuple of (int, int, int) or None
        How many samples the result keeps, and the fewest and the most objects that one of them has by itself; None
        where it keeps none.
    table : tuple of dict
        The rows that it was taken from, those of other stains among them, as of `Result.table`.
    """

    threshold: float
    objects: int
    tissue_mm2: float
    percent: float | None
    alone: tuple[int, int, int] | None = None
    table: tuple[dict[str, str], ...] = ()


def as_measured(result: Result, stain: str) -> Counted | None:
    """Return what stands in a result's table of a stain; None where that is nothing."""
    row = next((row for row in result.table if row.get("stain", stain) == stain), None)
    if row is None:
        return None
    with suppress(KeyError, ValueError):
        counted = _counted({key: float(row[key] or "nan") for key in (*_COLUMNS, *_ALONE) if key in row})
        return replace(counted, table=tuple(result.table))
    return None


def count(result: Result, stain: str, threshold: float) -> Counted | None:
    """Count a stain of a result anew; None where it cannot be measured."""
    from diffuscope.measurement.measurements import measured_at

    with suppress(InputError):
        return as_measured(measured_at(result, threshold), stain)
    return None


def find(result: Result, stain: str, threshold: float) -> tuple[Place, ...]:
    """Return a place (y, x) in each of the first `MOST` objects from the top on, px of the canvas; none on failure."""
    from diffuscope.measurement.positives import find_positives
    from diffuscope.ports.stains import find_stains

    one = next(one for one in find_stains(result.ports) if one.name == stain)
    with suppress(InputError):
        stated = replace(result, record=with_threshold(result.record, threshold))
        first = islice(find_positives(stated, one), MOST)
        inside = [positive.outline.representative_point() for positive in first]
        return tuple((at.y - 0.5, at.x - 0.5) for at in inside)
    return ()


class Latest:
    """Does one thing after the other in a thread, and never what is no longer asked for. Main thread only.

    Parameters
    ----------
    work : callable
        What is done.
    found : callable
        Is given what came of it.
    """

    def __init__(self, work: Callable[..., Any], found: Callable[[Any], None]) -> None:
        self._work, self._found = work, found
        self._waiting: tuple[Any, ...] | None = None
        self._is_busy = self._is_wanted = False

    def ask(self, *values: Any) -> None:
        """Do it for these, once what is being done is over."""
        self._waiting = values
        self._next()

    def drop(self) -> None:
        """Wait for nothing, and hear nothing of what is being done."""
        self._waiting, self._is_wanted = None, False

    def _next(self) -> None:
        if self._is_busy or self._waiting is None:
            return
        asked, self._waiting = self._waiting, None
        self._is_busy = self._is_wanted = True
        worker = create_worker(self._work, *asked)
        worker.returned.connect(self._returned)
        worker.finished.connect(self._finished)
        worker.start()

    def _returned(self, outcome: Any) -> None:
        if self._waiting is None and self._is_wanted:
            with suppress(RuntimeError):  # the dock may be gone
                self._found(outcome)

    def _finished(self) -> None:
        self._is_busy = False
        self._next()


_COLUMNS = ("threshold_od", "positive_objects", "tissue_area_mm2", "dab_positive_percent")
_ALONE = ("samples", "positive_objects_low", "positive_objects_high")


def _counted(row: dict[str, float]) -> Counted:
    percent = row["dab_positive_percent"]
    alone = [row[key] for key in _ALONE] if all(key in row for key in _ALONE) else None
    return Counted(
        threshold=row["threshold_od"],
        objects=int(row["positive_objects"]),
        tissue_mm2=row["tissue_area_mm2"],
        percent=None if isnan(percent) else percent,
        alone=None if alone is None or any(map(isnan, alone)) else (int(alone[0]), int(alone[1]), int(alone[2])),
    )
