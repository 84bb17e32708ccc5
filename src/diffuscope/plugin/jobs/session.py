"""What one dock has done: its jobs in the compute process of the viewer, their events on the main thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from napari.utils import progress
from napari.utils.notifications import show_info
from psygnal import Signal

from diffuscope.engine.events import Finished
from diffuscope.errors import DiffuscopeError, InputError
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.compute import compute_of
from diffuscope.plugin.jobs.drawn_first import DrawnFirst
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.jobs.spared import Spared
from diffuscope.plugin.jobs.state import JobState
from diffuscope.plugin.layers.reading.viewer import reading_of
from diffuscope.plugin.layers.views.canvas import window_of
from diffuscope.plugin.widgets.notice import tell_desktop
from diffuscope.training.events import TrainingFinished

_log = logging.getLogger(__name__)
#: Seconds from which a job is so long that nobody waits for it in front of the window.
LONG = 60
CANCELLING = "Cancelling: the step at hand ends, what is finished is kept."


@dataclass(frozen=True)
class _Over:
    """The thread of a job has ended."""


class Session:
    """The jobs of one dock. All methods belong to the main thread.

    Parameters
    ----------
    viewer : napari.Viewer
        That the dock belongs to.
    title : str
        Of the dock, for napari's own list of what goes on.
    child : Child, optional
        The compute process to take where the viewer has none yet.

    Attributes
    ----------
    state : JobState
        Where the dock's job stands, and what its status line says.
    compute : Compute
        What it shares with the other docks of the viewer.
    again : Job or None
        What goes on with the last job, where it ended early and can be gone on with.
    has_dock : bool
        Whether its dock is in the window; of one without any other dock can cancel what is at work.
    """

    changed = Signal()

    def __init__(self, viewer: Any, title: str, child: Child | None = None) -> None:
        self.viewer = viewer
        self.state = JobState()
        self.compute = compute_of(viewer, child)
        reading_of(viewer)
        self.again: Job | None = None
        self._title = title
        self._spared = Spared(viewer)
        self._drawn_first = DrawnFirst(viewer, self.compute.child)
        self.has_dock = True
        self._closed = self._left = False
        self._heard: deque[tuple[Any, Job]] = deque()
        self._is_taking = False
        self._job: Job | None = None
        self._stop, self._begun = threading.Event(), 0.0
        self._bar: Any = None
        self._value: Any = None
        self._outcome: Finished | TrainingFinished | Failed | None = None
        self.compute.join(self)

    def submit(self, job: Job) -> None:
        """Start a job, or let it wait for those before it, also those of other docks."""
        self.compute.submit(self, job)

    def is_promised(self, out: Path) -> bool:
        """Whether the job at work or one that waits writes to a place."""
        return self.compute.is_promised(out)

    def check_free(self, out: Path) -> None:
        """Refuse a place that the job at work or one that waits writes to.

        Raises
        ------
        InputError
            It is such a place.
        """
        if self.is_promised(out):
            raise InputError(f"{out} is written by a job at work, or that waits: choose another place.")

    def cancel(self) -> None:
        """Stop the dock's job at work before its next step; the queue goes on."""
        if self._job is not None:
            self._stop.set()
            self.compute.child.cancel()
            self.state.cancel(CANCELLING)

    def pause(self) -> None:
        """Let the dock's job at work wait after the step at hand, with all that it holds; the queue waits with it."""
        if self._job is not None and self.state.phase in ("starting", "running"):
            self.compute.child.pause()
            self.state.pause()

    def resume(self) -> None:
        """Let the job that was paused go on."""
        if self.state.phase == "paused":
            self.compute.child.resume()
            self.state.resume()

    def go_on(self) -> None:
        """Go on with the last job, which ended early."""
        if self.again is not None:
            job, self.again = self.again, None
            self.submit(job)

    def start(self, job: Job) -> None:
        """Begin a job, whose turn it is."""
        self._job, self._stop, self._begun = job, threading.Event(), time.monotonic()
        self._value = self._outcome = self.again = None
        self.state.begin(job.doing, chosen=job.steps)
        self._bar = progress(total=0, desc=self._title)
        job.on_start()
        self._spared.begin()
        self._drawn_first.begin()
        self.compute.child.resume()  # the job before may have been cancelled, or have ended, while it was paused
        child, stop = self.compute.child, self._stop

        def work() -> Any:  # napari tells a generator worker from a function worker by the kind of function
            try:
                yield from job.work(child, stop)
            except DiffuscopeError as error:
                yield Failed(str(error))
            except Exception as error:  # noqa: BLE001  an error in its thread napari answers by one of its own
                failed = Failed.by(error)
                _log.error("%s failed:\n%s", job.text, failed.report)
                yield failed
            yield _Over()

        worker = create_worker(work)
        worker.yielded.connect(lambda message: self._hear(message, job))
        worker.aborted.connect(self._on_abort)
        worker.start()

    def refresh(self) -> None:
        """Say what is at work and what waits."""
        if self._job is None:
            waits = self.compute.has_waiting(self)
            self.state.phase = "waiting" if waits else "idle"
        self.changed.emit()
        self._leave_if_idle()

    @property
    def is_closed(self) -> bool:
        """Whether its widgets are gone; what it had begun or queued goes on."""
        return self._closed

    @property
    def has_jobs(self) -> bool:
        """Whether a job of its is at work or waits."""
        return self._job is not None or self.compute.has_waiting(self)

    def is_of(self, viewer: Any) -> bool:
        """Whether its dock belongs to a viewer, or to what a proxy stands for."""
        return getattr(self.viewer, "__wrapped__", self.viewer) is getattr(viewer, "__wrapped__", viewer)

    def set_dock(self, is_there: bool) -> None:
        """Take note that the dock is in the window, or no more: what is at work or waits goes on, which is said."""
        if self.has_dock and not is_there and self.has_jobs:
            show_info(f"{self._title} goes on without its dock. Open any dock of Diffuscope to cancel it.")
        self.has_dock = is_there
        self.compute.tell()

    def close(self) -> None:
        """Let the dock go, which hears no more; what is at work and what waits goes on.

        Once all of it is over, the last session of a viewer ends the compute process.
        """
        if self._closed:
            return
        self._closed, self.has_dock = True, False
        self.state.events.disconnect()
        self.changed.disconnect()
        self.compute.tell()
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._closed and not self._left and not self.has_jobs:
            self._left = True
            self.compute.leave(self)

    def _hear(self, message: Any, job: Job) -> None:
        """Take messages in the order in which they come: napari's bar lets the next one in while one is taken."""
        self._heard.append((message, job))
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while self._heard:
                self._take(*self._heard.popleft())
        finally:
            self._is_taking = False

    def _take(self, message: Any, job: Job) -> None:
        match message:
            case None:
                return
            case Finished() | TrainingFinished() | Failed():
                self._outcome = message
            case Returned():
                self._value = message.value
            case _Over():
                self._end(job)
            case _:
                self.state.apply(message)
                self._fill_bar()
                job.on_event(message)

    def _end(self, job: Job) -> None:
        self._spared.end()
        self._drawn_first.end()
        self._close_bar()
        text = job.on_end(self._value)
        self._job, failure = None, ""
        ended_early = isinstance(self._outcome, Failed) or not getattr(self._outcome, "complete", text is not None)
        self.again = job.again() if ended_early else None
        # late, since whoever waits for an idle dock expects all of the above
        match self._outcome:
            case Finished() | TrainingFinished():
                self.state.apply(self._outcome)
            case Failed():
                failure = self._outcome.sentence
                self.state.fail(failure, self._outcome.report)
            case None:
                self.state.end(text if text is not None else job.stopped)
        told = self.state.message or "done"
        if not self.has_dock:
            show_info(f"{job.text}: {told}")  # no dock is there to say it
        if time.monotonic() - self._begun > LONG and (window := window_of(self.viewer)) is not None:
            tell_desktop(window, f"Diffuscope: {job.text}", told)
        self.compute.done(failure=failure)
        self._leave_if_idle()

    def _on_abort(self) -> None:
        # napari closing ended the worker: nothing must start in its place
        job, self._job = self._job, None
        self._spared.end()
        self._drawn_first.end()
        self._stop.set()
        self.compute.child.cancel()
        self.compute.halt()
        self._close_bar()
        if job is not None:
            with suppress(RuntimeError):  # napari's window may be gone already
                job.on_leave()
        self.state.end("Stopped by napari; what is finished is kept.")
        self._leave_if_idle()

    def _fill_bar(self) -> None:
        """Move napari's own bar, by a hundredth at least: at each move napari draws the whole window at once."""
        bar, total, done = self._bar, self.state.total, int(self.state.done)
        if bar is None or not total:
            return
        if bar.total != total:
            bar.total = total
        if 100 * abs(done - bar.n) >= total or bar.n < done == total:
            bar.update(done - bar.n)

    def _close_bar(self) -> None:
        if self._bar is not None:
            with suppress(RuntimeError):  # napari's own bar went with its window
                self._bar.close()
            self._bar = None
