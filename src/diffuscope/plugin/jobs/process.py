"""The child process in which models are loaded and run: the only place of the plugin where torch comes in.

It answers one command at a time. Messages to the parent are (job number, message), where a message is
an event of `diffuscope.engine.events` or one of the records below.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
from typing import Any, Self

from diffuscope.errors import DiffuscopeError
from diffuscope.unforeseen import unforeseen

#: Whether the process can be stopped at once, and started again whatever becomes of its parent.
CAN_STAND = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
#: How often a job that waits looks whether it may go on, s.
_GLANCE = 0.05


@dataclass(frozen=True)
class Returned:
    """The command ended well; `value` is what it returned."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """The command ended with an error: one sentence; where nobody foresaw it, a report as well.

    Such a sentence and its report hold nothing of the user's (see `diffuscope.unforeseen`).
    """

    sentence: str
    report: str = ""

    @classmethod
    def by(cls, error: BaseException, doing: str = "") -> Self:
        """Describe an error that nobody foresaw; `doing` is a verb of ours."""
        found = unforeseen(error, doing)
        sentence = f"S{found.sentence[1:]}: please copy the report and send it; it holds nothing of yours."
        return cls(sentence, found.report)


class Wishes:
    """What napari wants of a job, asked while it runs: whether to stop or to wait (called), and where the user looks.

    Parameters
    ----------
    cancelled_up_to : multiprocessing.sharedctypes c_longlong
        Jobs with this number or a lower one are cancelled.
    is_paused : multiprocessing.sharedctypes c_bool
        Whether the job is to wait.
    place : multiprocessing.sharedctypes array of c_double
        (z, y, x) in level-0 px, z NaN of a slide; all NaN where the user looks at nothing in particular.
    job : int
        This job's number.
    """

    def __init__(self, cancelled_up_to: Any, is_paused: Any, place: Any, job: int) -> None:
        self._cancelled_up_to, self._is_paused, self._place, self._job = cancelled_up_to, is_paused, place, job
        self._parent = multiprocessing.parent_process()

    def __call__(self) -> bool:
        """Whether the job is to stop: it was cancelled, or nobody is left to tell. While it is paused this waits."""
        while self._is_paused.value and not self._is_to_stop():
            time.sleep(_GLANCE)
        return self._is_to_stop()

    def _is_to_stop(self) -> bool:
        return self._cancelled_up_to.value >= self._job or (self._parent is not None and not self._parent.is_alive())

    def focus(self) -> tuple[float, ...] | None:
        """Return where the user looks: (y, x) on a slide, (z, y, x) in a volume."""
        z, y, x = self._place
        if isnan(y) or isnan(x):
            return None
        return (y, x) if isnan(z) else (z, y, x)


def serve(connection: Any, cancelled_up_to: Any, is_paused: Any, place: Any, verbs: str) -> None:
    """Answer commands until the parent says stop or is gone.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
        The child's end of a two-way pipe. Commands are (job, name, keyword arguments); None stops.
    cancelled_up_to : multiprocessing.sharedctypes c_longlong
        Jobs with this number or a lower one are cancelled.
    is_paused, place : multiprocessing.sharedctypes c_bool, array of c_double
        Whether a job waits, and where the user looks, as in `Wishes`.
    verbs : str
        Module whose generator functions are the commands; each takes ``cancelled`` besides its own arguments.
    """
    # Ctrl-C in the terminal is for napari, which then stops this process itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if CAN_STAND:
        # Of a process that stands the parent may die: it goes on then, and ends as one that does not stand.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)
    # A thread of the network that has done its part sleeps until the others have: spinning, it would take the core
    # that one of them needs, or the window, and a step would last many times as long. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # The window comes first. (Linux weighs niceness within a session: other programs do not push the job aside by it.)
    if hasattr(os, "nice"):
        os.nice(19)
    # Ahead of the first command, which says what is wrong where this fails. What is imported stays, a million objects,
    # which the garbage collector would look at again and again: a fifth of the time until the first command.
    gc.disable()
    with suppress(ImportError):
        importlib.import_module(verbs)
    gc.freeze()
    gc.enable()
    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        if order is None:
            return
        job, name, arguments = order
        try:
            wishes = Wishes(cancelled_up_to, is_paused, place, job)
            _answer(connection, job, verbs, name, arguments, wishes)
        except (BrokenPipeError, ConnectionResetError):
            return


def _answer(connection: Any, job: int, verbs: str, name: str, arguments: dict[str, Any], cancelled: Wishes) -> None:
    try:
        steps = getattr(importlib.import_module(verbs), name)(cancelled=cancelled, **arguments)
        while True:
            try:
                message = next(steps)
            except StopIteration as end:
                message = Returned(end.value)
            connection.send((job, message))
            if isinstance(message, Returned):
                return
    except (BrokenPipeError, ConnectionResetError):
        raise
    except DiffuscopeError as error:
        connection.send((job, Failed(str(error))))
    except Exception as error:  # noqa: BLE001  the window must hear of it, whatever it is
        connection.send((job, Failed.by(error, name)))
