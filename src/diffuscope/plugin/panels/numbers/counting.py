"""Positive objects counted in a thread, for the threshold that was asked for last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from napari.qt.threading import create_worker

from diffuscope.errors import InputError
from diffuscope.results.result import Result


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a threshold makes of a stain.

    Attributes
    ----------
    threshold : float
        OD.
    row : dict
        As of `diffuscope.measurement.measurements.measure`.
    places : tuple of (float, float)
        (y, x) of the middle of each object that was counted, in px of the canvas.
    """

    threshold: float
    row: dict[str, Any]
    places: tuple[tuple[float, float], ...]


def count(result: Result, stain: str, threshold: float) -> Counted | None:
    """Count a stain of a result anew; None where it cannot be measured."""
    from diffuscope.measurement.measurements import measure
    from diffuscope.measurement.positives import find_positives
    from diffuscope.ports.stains import find_stains

    chosen = {**result.record.get("parameters", {}), "dab_threshold": threshold}
    asked = replace(result, record={**result.record, "parameters": chosen})
    with suppress(InputError):
        rows = measure(asked)
        row = next(row for row in rows if row.get("stain", stain) == stain)
        one = next(one for one in find_stains(result.ports) if one.name == stain)
        found = [positive.outline.representative_point() for positive in find_positives(asked, one)]
        return Counted(threshold=threshold, row=row, places=tuple((at.y - 0.5, at.x - 0.5) for at in found))
    return None


class Counter:
    """Counts one after the other, and never what is no longer asked for. Main thread only.

    Parameters
    ----------
    found : callable
        Is given what was counted.
    """

    def __init__(self, found: Callable[[Counted | None], None]) -> None:
        self._found = found
        self._waiting: tuple[Result, str, float] | None = None
        self._is_busy = False

    def ask(self, result: Result, stain: str, threshold: float) -> None:
        """Count for a threshold, once what is being counted is done."""
        self._waiting = (result, stain, threshold)
        self._next()

    def drop(self) -> None:
        """Wait for nothing."""
        self._waiting = None

    def _next(self) -> None:
        if self._is_busy or self._waiting is None:
            return
        asked, self._waiting = self._waiting, None
        self._is_busy = True
        worker = create_worker(count, *asked)
        worker.returned.connect(self._returned)
        worker.finished.connect(self._finished)
        worker.start()

    def _returned(self, counted: Counted | None) -> None:
        if self._waiting is None:
            with suppress(RuntimeError):  # the dock may be gone
                self._found(counted)

    def _finished(self) -> None:
        self._is_busy = False
        self._next()
