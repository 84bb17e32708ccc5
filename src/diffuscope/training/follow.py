"""Work that calls back, as a generator of what it reports: the work has a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import Empty, Queue
from typing import TypeVar

Event = TypeVar("Event")


def events_of(work: Callable[[Callable[[Event], None], Callable[[], bool]], None]) -> Generator[Event, None, None]:
    """Run `work(report, closed)` and yield what it reports.

    Nothing begins before the first event is asked for. The work waits where events are not taken. A generator that is
    closed makes `closed()` true, and waits until the work has ended.

    Parameters
    ----------
    work : callable
        Takes a function to report an event, and one that says whether nobody listens any more.

    Raises
    ------
    Exception
        What the work raised.
    """
    reported: Queue[tuple[Event] | BaseException | None] = Queue(maxsize=4)
    closed = threading.Event()

    def run() -> None:
        end: BaseException | None = None
        try:
            work(lambda event: reported.put((event,)), closed.is_set)
        except BaseException as error:  # noqa: BLE001  raised again where the events are taken
            end = error
        reported.put(end)

    thread = threading.Thread(target=run, name="diffuscope-training", daemon=True)
    thread.start()
    try:
        while isinstance(item := reported.get(), tuple):
            yield item[0]
        if item is not None:
            raise item
    finally:
        closed.set()
        while thread.is_alive():
            # What is still reported goes nowhere, but may not block the work's way out.
            try:
                reported.get(timeout=0.05)
            except Empty:
                continue
