"""The one compute process of a viewer, which its docks share: what is at work, and what waits for it."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any, Protocol

from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.queue import Entry, JobQueue, same_folder


class Owner(Protocol):
    """Who asks for jobs: the session of a dock."""

    has_dock: bool

    def cancel(self) -> None:
        """Stop its job at work before its next step."""

    def start(self, job: Job) -> None:
        """Begin a job whose turn it is; `Compute.done` is told when it is over."""

    def refresh(self) -> None:
        """What is at work or what waits is another."""


class Compute:
    """A compute process and its queue. Main thread only.

    Parameters
    ----------
    child : Child
        The process, which is started for the first job and kept for the next.

    Attributes
    ----------
    queue : JobQueue
        The jobs of all docks, in order.
    at_work : Entry or None
        The job at work.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        self.queue = JobQueue()
        self.at_work: Entry | None = None
        self._owners: list[Owner] = []
        self.queue.changed.connect(self.tell)

    @property
    def is_busy(self) -> bool:
        """Whether a job that is added now would have to wait."""
        return self.at_work is not None

    def join(self, owner: Owner) -> None:
        """Count a dock in."""
        self._owners.append(owner)

    def leave(self, owner: Owner) -> None:
        """Count a dock out, whose waiting jobs go; the last one ends the process, which gives its memory back."""
        self._owners = [other for other in self._owners if other is not owner]
        self.queue.forget(owner)
        if not self._owners:
            self.at_work = None
            _computes_of.forget(self)
            self.child.close()

    def submit(self, owner: Owner, job: Job) -> None:
        """Start a job, or let it wait for those before it."""
        if self.is_busy:
            self.queue.add(Entry(job, owner))
        else:
            self._start(Entry(job, owner))

    def is_promised(self, out: Path) -> bool:
        """Whether the job at work or one that waits writes to a place."""
        entries = [*self.queue.waiting, *([self.at_work] if self.at_work else [])]
        return any(entry.job.out is not None and same_folder(entry.job.out, out) for entry in entries)

    def has_waiting(self, owner: Owner) -> bool:
        """Whether a job of a dock waits."""
        return any(entry.owner is owner for entry in self.queue.waiting)

    def done(self, *, failure: str = "") -> None:
        """Go over to the next job; `failure` says what went wrong with this one, which stays in sight where any waits.

        The status line of its dock tells it until that dock's next job takes it over.
        """
        entry, self.at_work = self.at_work, None
        if entry is not None and failure and self.has_waiting(entry.owner):
            self.queue.add(Entry(entry.job, entry.owner, failure))
        if self.queue.waiting:
            self._start(self.queue.waiting[0])
        self.tell()

    def halt(self) -> None:
        """Forget everything: napari ends."""
        self.at_work = None
        self.queue.clear()

    def _start(self, entry: Entry) -> None:
        self.at_work = entry
        self.queue.remove(entry)
        entry.owner.start(entry.job)
        self.tell()

    def tell(self) -> None:
        """Have all docks look at what is at work and what waits."""
        for owner in self._owners:
            owner.refresh()


class _Computes:
    """What each viewer computes with. By identity: a viewer compares all that it holds."""

    def __init__(self) -> None:
        self._known: dict[int, Compute] = {}

    def of(self, viewer: Any, child: Child | None) -> Compute:
        viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands out proxies
        key = id(viewer)
        if key not in self._known:
            self._known[key] = Compute(child or Child())
            weakref.finalize(viewer, self._known.pop, key, None)
        return self._known[key]

    def forget(self, compute: Compute) -> None:
        for key in [key for key, known in self._known.items() if known is compute]:
            del self._known[key]


_computes_of = _Computes()


def compute_of(viewer: Any, child: Child | None = None) -> Compute:
    """Return what the docks of a viewer compute with.

    Parameters
    ----------
    viewer : napari.Viewer
        Or a proxy of it.
    child : Child, optional
        The process to take where the viewer has none yet; default a new one.
    """
    return _computes_of.of(viewer, child)
