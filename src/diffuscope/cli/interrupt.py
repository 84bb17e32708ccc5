"""Ctrl-C, and what ends a process from outside, as a wish to end well."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def set_on_interrupt(cancelled: threading.Event) -> Iterator[None]:
    """Set a flag at the first Ctrl-C; the second one interrupts as usual.

    Parameters
    ----------
    cancelled : threading.Event
        The flag.
    """

    def ask(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not print: the signal may have come in the middle of one.
        os.write(handle, b"\nEnding after this step; Ctrl-C again ends at once.\n")

    handle = _stderr()
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupted_from_outside() -> Iterator[None]:
    """Take the end of a queue's time (SIGTERM) or of a terminal (SIGHUP) as Ctrl-C, so that nothing half is left.

    What this process was started to ignore, as `nohup` does, it goes on to ignore.
    """

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        asked = signal.getsignal(signal.SIGINT)
        if not callable(asked):  # a shell's background job ignores Ctrl-C, and not these
            raise KeyboardInterrupt
        asked(signal.SIGINT, frame)

    there = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    taken = [number for number in there if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        taken = []
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _stderr() -> int:
    """Return the number of the file that standard error is; the second where it is none."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return 2
