"""Jobs in the child process, seen from napari: start, follow, cancel, survive a crash."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from ctypes import c_bool, c_double, c_longlong
from math import nan
from typing import Any

from diffuscope.plugin.jobs.process import CAN_STAND, Failed, Returned, serve

VERBS = "diffuscope.plugin.jobs.verbs"
_EVERY_JOB = 2**62
_log = logging.getLogger(__name__)
_main_lock = threading.Lock()


class Child:
    """A child process that is started when first needed and kept for the next job.

    One job at a time. `submit` and `receive` belong to the thread that drives the job; all else may be called from any
    thread at any time.

    Parameters
    ----------
    verbs : str
        Module that holds the commands.
    """

    def __init__(self, verbs: str = VERBS) -> None:
        self._verbs = verbs
        self._context = multiprocessing.get_context("spawn")
        # a plain number, not an Event: its semaphore would stay locked by a child that is killed
        self._cancelled_up_to: Any = self._context.Value(c_longlong, -1, lock=False)
        self._is_paused: Any = self._context.Value(c_bool, False, lock=False)
        self._place: Any = self._context.Array(c_double, [nan] * 3, lock=False)
        self._last = -1
        self._starting = threading.Lock()
        self._process: Any = None
        self._connection: Any = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id; None where no process is alive."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def warm(self) -> None:
        """Start the process where there is none, ahead of the first job: it takes seconds to import what computes."""
        # The window and the thread of a job that waited ask at once where a process has died: of two processes the job
        # would go to one, and its answer be waited for from the other.
        with self._starting:
            if self.pid is None and not self._closed:
                self._start()

    def submit(self, command: str, arguments: dict[str, Any]) -> int:
        """Send a command, starting the process where there is none, and return the job's number."""
        self.warm()
        self._last += 1
        with suppress(OSError):  # a child that died meanwhile is noticed by receive()
            self._connection.send((self._last, command, arguments))
        return self._last

    def receive(self, job: int, *, timeout: float) -> Any:
        """Return the job's next message, or None where none came within `timeout` seconds."""
        try:
            if self._closed:
                return Failed("The compute process was closed.")
            if not self._connection.poll(timeout):
                return None
            number, message = self._connection.recv()
        except (EOFError, OSError):
            return Failed("The compute process was closed." if self._closed else self._crashed())
        return message if number == job else None

    def cancel(self, job: int | None = None) -> None:
        """Ask a job and those before it, or all that were sent so far, to stop before their next step.

        Harmless where they are over.
        """
        self._cancelled_up_to.value = max(self._cancelled_up_to.value, self._last if job is None else job)

    def pause(self) -> None:
        """Let the job at work wait before its next step, the next one before its first, until `resume` or `cancel`."""
        self._is_paused.value = True

    def resume(self) -> None:
        """Let the job that waits go on, and the next one not wait."""
        self._is_paused.value = False

    def look_at(self, *place: float) -> None:
        """Say where the user looks on the input of the job at work, level-0 px: tiles near there come first.

        (y, x) on a slide, (z, y, x) in a volume.
        """
        self._place[:] = (*[nan] * (3 - len(place)), *place)

    def stand(self) -> bool:
        """Let the process stand at once, wherever it is, until `go_on`; return whether it does.

        It does not where the system cannot do that, and not on its way to an end.
        """
        if not CAN_STAND or self._closed or self._cancelled_up_to.value >= self._last or (pid := self.pid) is None:
            return False
        os.kill(pid, signal.SIGSTOP)
        return True

    def go_on(self) -> None:
        """Let the process that stands go on; harmless where it does not."""
        if CAN_STAND and (pid := self.pid) is not None:
            os.kill(pid, signal.SIGCONT)

    def close(self, patience: float = 1.0) -> None:
        """End the process: politely, then after `patience` seconds without asking."""
        self._closed = True
        self._cancelled_up_to.value = _EVERY_JOB
        process = self._process
        if process is None:
            return
        atexit.unregister(self.go_on)
        self.go_on()
        with suppress(OSError, ValueError):
            self._connection.send(None)
        for end in (lambda: None, process.terminate, process.kill):
            end()
            process.join(patience)
            if not process.is_alive():
                break

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        # daemon: Python ends it at exit even where nobody called close()
        self._process = self._context.Process(
            target=serve,
            args=(theirs, self._cancelled_up_to, self._is_paused, self._place, self._verbs),
            name="diffuscope-compute",
            daemon=True,
        )
        with _empty_main():
            self._process.start()
        theirs.close()
        atexit.register(self.go_on)  # Python waits at exit for a process that it told to end

    def _crashed(self) -> str:
        self._process.join(1.0)
        code = self._process.exitcode
        why = "often: out of memory" if code == -9 else f"exit code {code}"
        return f"The compute process ended unexpectedly ({why}); press Run to try again with a new one."


def drive(
    child: Child, command: str, stop: threading.Event | None = None, **arguments: Any
) -> Generator[Any, None, None]:
    """Run one command in the child and yield its messages.

    The last message is a `Returned` or a `Failed`; None means "nothing yet" and gives a thread worker
    the occasion to quit. Leaving early cancels the job, and so does `stop`; set before it begins, nothing is begun.
    """
    if stop is not None and stop.is_set():
        yield Returned(None)
        return
    job = child.submit(command, arguments)
    try:
        while True:
            message = child.receive(job, timeout=0.1)
            if isinstance(message, Failed) and message.report:
                _log.error("%s failed in the compute process:\n%s", command, message.report)
            yield message
            if isinstance(message, Returned | Failed):
                return
            if stop is not None and stop.is_set():
                child.cancel(job)
    finally:
        child.cancel(job)


@contextmanager
def _empty_main() -> Iterator[None]:
    # A spawned child runs the parent's main script again. That script may be the user's own, without
    # an ``if __name__ == "__main__"``, and would open a second napari: so the child is shown an empty one.
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
