"""Ctrl-C as a wish to end well."""

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


def _stderr() -> int:
    """Return the number of the file that standard error is; the second where it is none."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return 2
