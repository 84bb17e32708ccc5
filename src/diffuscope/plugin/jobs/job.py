"""A job of any verb: what is to be done, and who hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffuscope.plugin.jobs.child import Child, drive

Work = Callable[[Child, threading.Event], Generator[Any, None, None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """All of a job, bound when it was asked for: no form and no layer is looked at afterwards.

    Attributes
    ----------
    text : str
        As the queue lists it.
    doing : str
        What is said until its first event.
    work : callable
        Makes the messages of the job, in a thread, from the compute process and a flag that asks it to stop: events, a
        `Failed` where it went wrong, and a `Returned` with what came out. None means "nothing yet".
    steps : int
        Steps that were chosen for each tile of a run; 0 where there are none.
    out : Path or None
        What it writes, which no other job may be promised.
    again : callable
        Makes the job that goes on with it, where it ended early; None where there is nothing to go on with.
    stopped : str
        What is said where it was cancelled.
    on_start : callable
        Called when it goes to work.
    on_event : callable
        Called with each event.
    on_end : callable
        Called with what came out, None where nothing did, and returns what is said then; None: that it was cancelled.
    on_leave : callable
        Called instead where napari is closed while it works.
    """

    text: str
    doing: str
    work: Work
    steps: int = 0
    out: Path | None = None
    again: Callable[[], Job | None] = lambda: None
    stopped: str = "Cancelled: nothing was written."
    on_start: Callable[[], None] = lambda: None
    on_event: Callable[[Any], None] = lambda _event: None
    on_end: Callable[[Any], str | None] = lambda _value: None
    on_leave: Callable[[], None] = lambda: None


def verb(name: str, **arguments: Any) -> Work:
    """Return the work of a command of `diffuscope.plugin.jobs.verbs`."""

    def work(child: Child, stop: threading.Event) -> Generator[Any, None, None]:
        yield from drive(child, name, stop, **arguments)

    return work
