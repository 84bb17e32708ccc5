"""Work that calls back, as a generator of what it tells: the work has a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import Empty, Queue
from typing import TypeVar

Event = TypeVar("Event")


def events_of(work: Callable[[Callable[[Event], None], Callable[[], bool]], None]) -> Generator[Event, None, None]:
    """Run `work(tell, closed)` and yield what it tells.

    Nothing begins before the first event is asked for. The work waits where events are not taken. A generator that is
    closed makes `closed()` true, and waits until the work has ended.

    Parameters
    ----------
    work : callable
        Takes a function to tell an event, and one that says whether nobody listens any more.

    Raises
    ------
    Exception
        What the work raised.
    """
    told: Queue[tuple[Event] | BaseException | None] = Queue(maxsize=4)
    closed = threading.Event()

    def run() -> None:
        end: BaseException | None = None
        try:
            work(lambda event: told.put((event,)), closed.is_set)
        except BaseException as error:  # noqa: BLE001  raised again where the events are taken
            end = error
        told.put(end)

    thread = threading.Thread(target=run, name="diffuscope-training", daemon=True)
    thread.start()
    try:
        while isinstance(item := told.get(), tuple):
            yield item[0]
        if item is not None:
            raise item
    finally:
        closed.set()
        while thread.is_alive():
            # What is still told goes nowhere, but may not block the work's way out.
            try:
                told.get(timeout=0.05)
            except Empty:
                continue
