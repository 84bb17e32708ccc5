"""Jobs that wait for the one at work, in order, each with a result folder of its own; and those that failed on the way.

Tested without Qt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from diffuscope.plugin.jobs.carry_out import Request


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of the list.

    Attributes
    ----------
    request : Request
        The job.
    failure : str
        The sentence it ended with; empty while it waits.
    """

    request: Request
    failure: str = ""

    @property
    def text(self) -> str:
        """Slide, model and region; and the sentence."""
        region, settings = self.request.region, self.request.settings
        where = f"{region.width:,} × {region.height:,} px" if region else "all tissue"
        if self.request.slide.slices is not None:
            where = f"slices {settings['slices']}" if "slices" in settings else "whole volume"
        job = f"{self.request.slide.name} · {Path(settings['model']).name} · {where}"
        return f"{job}: {self.failure}" if self.failure else job


class JobQueue:
    """What follows when the job at work ends. Main thread only."""

    changed = Signal()

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def entries(self) -> list[Entry]:
        """Failed jobs, then waiting ones in the order in which they will run."""
        return sorted(self._entries, key=lambda entry: not entry.failure)

    @property
    def waiting(self) -> list[Request]:
        """Jobs to come."""
        return [entry.request for entry in self._entries if not entry.failure]

    def add(self, request: Request) -> None:
        """Let a job wait behind the others."""
        self._put([*self._entries, Entry(request)])

    def add_failed(self, request: Request, sentence: str) -> None:
        """Keep in sight what became of a job, since the next one takes over the status line."""
        self._put([*self._entries, Entry(request, sentence)])

    def remove(self, entry: Entry) -> None:
        """Take one entry off the list; harmless where it has gone to work meanwhile."""
        self._put([other for other in self._entries if other is not entry])

    def take(self) -> Request | None:
        """Return the next job and take it off the list; None where none waits."""
        for entry in self._entries:
            if not entry.failure:
                self.remove(entry)
                return entry.request
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._put([])

    def _put(self, entries: list[Entry]) -> None:
        self._entries = entries
        self.changed.emit()


def same_folder(one: Path, other: Path) -> bool:
    """Whether two result folders, which need not exist yet, are or would be one; case counts on no disk."""
    return os.path.realpath(one).casefold() == os.path.realpath(other).casefold()
