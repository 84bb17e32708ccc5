"""What every job reports: small frozen records that travel between threads and processes, and a job run to its end.

Each verb of `diffuscope.api` checks what it was given when it is called, and returns a generator of events: `Progress`,
`Notice` and records of its own, and at last the one that says what came out. Nothing is done before the first event is
asked for, and a generator that is closed ends the job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Protocol, runtime_checkable

_log = logging.getLogger("diffuscope")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    done : float
        How much of it is done, in units; a part of a unit counts.
    total : int
        Units in all; 0 where nobody can say.
    unit : str
        What is counted, in the plural, e.g. ``"tiles"``; empty where `what` says it all.
    what : str
        What is being done, in a few words.
    """

    done: float = 0.0
    total: int = 0
    unit: str = ""
    what: str = ""

    @property
    def progress(self) -> Progress:
        """Itself, as of every event that counts."""
        return self

    @property
    def counted(self) -> str:
        """What is counted, e.g. ``"3 of 40 steps"``; empty where nothing is."""
        unit = self.unit if self.total != 1 else self.unit.removesuffix("s")
        return f"{int(self.done)} of {self.total} {unit}" if self.unit and self.total else ""

    @property
    def text(self) -> str:
        """What is done in words, e.g. ``"3 of 40 steps, loss 0.031"``; of one thing, what is done to it."""
        counted = "" if self.total == 1 and self.what else self.counted
        return ", ".join(part for part in (counted, self.what) if part)


@runtime_checkable
class Counts(Protocol):
    """An event that says how far its job is."""

    @property
    def progress(self) -> Progress:
        """How far the job is."""


@dataclass(frozen=True)
class Notice:
    """Something the user should know of, while the job goes on; `sentence` says it."""

    sentence: str


def notices_of(event: Any) -> tuple[str, ...]:
    """Return the sentences that an event has for the user: a `Notice`, or the ``notices`` that a job begins with."""
    return (event.sentence,) if isinstance(event, Notice) else tuple(getattr(event, "notices", ()))


def finish(events: Iterable[Any]) -> Any:
    """Run a job to its end; what the user should know of goes to the log ``diffuscope``.

    Parameters
    ----------
    events : iterable of events
        What a verb returned, e.g. ``diffuscope.export("out.ome.zarr", "out.ome.tif")``.

    Returns
    -------
    event
        Its last one, which says what came out; of a generator that returns a value, that value.

    Raises
    ------
    Exception
        What the job raised.
    """
    last, steps = None, iter(events)
    while True:
        try:
            last = next(steps)
        except StopIteration as end:
            return last if end.value is None else end.value
        for sentence in notices_of(last):
            _log.warning(sentence)


class Pace:
    """How fast a job goes, from the first event that counts on.

    Parameters
    ----------
    clock : callable, optional
        Seconds from some moment on.

    Attributes
    ----------
    progress : Progress
        How far the job is; tiles under way count by their steps, and it never goes back.
    step : tuple of (int, int) or None
        Of the tiles under way, the network evaluations done and in all; None where nothing is known of them.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.progress = Progress()
        self._first = self._whole = Progress()
        self._begun = self._now = self._lost = 0.0
        self._paused: float | None = None
        self.step: tuple[int, int] | None = None

    def pause(self) -> None:
        """Let no time go by until `resume`."""
        self._paused = self._clock()

    def resume(self) -> None:
        """Let the time go by again."""
        if self._paused is not None:
            self._lost += self._clock() - self._paused
            self._paused = None

    def _time(self) -> float:
        return (self._clock() if self._paused is None else self._paused) - self._lost

    def take(self, event: Any) -> bool:
        """Take in an event, and return whether it says how far the job is.

        Pace and time left are those of this job, not of one that it goes on with, and begin anew where a job goes over
        to count something else, or from the start again, as a training's next round does.
        """
        before, shown = self._whole.done, self.progress
        part = getattr(event, "part", None)
        if isinstance(event, Counts):
            self._whole = self.progress = event.progress
        elif part is not None and self._whole.total:
            done = self._whole.done + part * getattr(event, "beside", 1)
            self.progress = replace(self._whole, done=min(done, self._whole.total))
        else:
            return False
        self.step = (event.step, event.steps) if part is not None else None
        is_same = (shown.unit, shown.total) == (self.progress.unit, self.progress.total)
        if is_same and self._whole.done >= before:
            self.progress = replace(self.progress, done=max(self.progress.done, shown.done))
        self._now = self._time()
        other = (self.progress.unit, self.progress.total) != (self._first.unit, self._first.total)
        if other or self._whole.done < before:
            self._first, self._begun = self.progress, self._now
        return True

    @property
    def text(self) -> str:
        """What is finished, in words; of one thing alone how far that is."""
        text = self._whole.text
        if self._whole.total == 1 and self.step is not None and not self._whole.what:
            return "step {} of {}".format(*self.step)
        return text

    @property
    def speed(self) -> float | None:
        """Units a second so far; None before the first part of one."""
        done, seconds = self.progress.done - self._first.done, self._now - self._begun
        return done / seconds if done > 0 and seconds > 0 and self.progress.total else None

    @property
    def left(self) -> float | None:
        """Seconds that are left from now on at the mean speed so far; None where nobody can say yet."""
        if self.speed is None:
            return None
        since = self._time() - self._now  # of a stage that says nothing for a while
        return max((self.progress.total - self.progress.done) / self.speed - since, 0.0)
