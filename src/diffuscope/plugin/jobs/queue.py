"""Jobs that wait for the one at work, in order, whichever dock they are of; and those that failed on the way.

Tested without Qt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from diffuscope.plugin.jobs.job import Job


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of the list.

    Attributes
    ----------
    job : Job
        What is to be done.
    owner : object
        The session that asked for it.
    failure : str
        The sentence it ended with; empty while it waits.
    """

    job: Job
    owner: Any
    failure: str = ""

    @property
    def text(self) -> str:
        """The job; and the sentence."""
        return f"{self.job.text}: {self.failure}" if self.failure else self.job.text


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
    def waiting(self) -> list[Entry]:
        """Jobs to come."""
        return [entry for entry in self._entries if not entry.failure]

    def add(self, entry: Entry) -> None:
        """Let a job wait behind the others, or keep in sight what became of one."""
        self._put([*self._entries, entry])

    def remove(self, entry: Entry) -> None:
        """Take one entry off the list; harmless where it has gone to work meanwhile."""
        self._put([other for other in self._entries if other is not entry])

    def forget(self, owner: Any) -> None:
        """Take the entries of a session off the list."""
        self._put([entry for entry in self._entries if entry.owner is not owner])

    def clear(self) -> None:
        """Forget everything."""
        self._put([])

    def _put(self, entries: list[Entry]) -> None:
        if entries != self._entries:
            self._entries = entries
            self.changed.emit()


def same_folder(one: Path, other: Path) -> bool:
    """Whether two result folders, which need not exist yet, are or would be one; case counts on no disk."""
    return os.path.realpath(one).casefold() == os.path.realpath(other).casefold()
