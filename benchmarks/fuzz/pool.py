"""A pool of processes that open mutants: each watched, ended where it takes too long or too much, and replaced."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from benchmarks.fuzz.child import MB, Mutant, Outcome, serve

#: Bounds of one mutant: seconds of processor, and MB more than before.
SECONDS, MEMORY = 5.0, 1024.0
# One that waits, for a pipe or a lock, uses no processor; on a busy machine one that only waits for a processor is not
# such a one, but it may wait for a disk.
_WAITING = 4 * SECONDS
_LOOK = 0.02
# A child is replaced after so many, since what libraries keep adds up.
_SERVES = 400
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run(
    mutants: Iterable[Mutant], scratch: Path, processes: int, kinds: str = "benchmarks.fuzz.openers"
) -> Iterator[tuple[Mutant, Outcome]]:
    """Yield what came of each mutant, in the order in which they end.

    Parameters
    ----------
    mutants : iterable of Mutant
        Taken as children are free.
    scratch : Path
        Folder that is made and emptied.
    processes : int
        Children side by side.
    kinds : str
        Module whose ``KINDS`` say how each kind is opened.
    """
    queue = iter(mutants)
    workers: list[_Worker] = []
    try:
        workers = [_Worker(scratch / f"worker{number}", kinds) for number in range(processes)]
        while workers:
            wait([worker.connection for worker in workers], timeout=_LOOK)
            for worker in list(workers):
                done = worker.look()
                if done is not None:
                    yield done
                if worker.is_free:
                    mutant = next(queue, None)
                    if mutant is None:
                        worker.end()
                        workers.remove(worker)
                    else:
                        worker.give(mutant)
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    def __init__(self, folder: Path, kinds: str) -> None:
        self._folder, self._kinds = folder, kinds
        self._number = 0
        self._context = multiprocessing.get_context("spawn")
        self._mutant: Mutant | None = None
        self._start()

    @property
    def is_free(self) -> bool:
        return self._ready and self._mutant is None

    def give(self, mutant: Mutant) -> None:
        self._served += 1
        self._mutant, self._began = mutant, None
        self._place = self._folder / f"{self._number}-{self._served}"
        self.connection.send((mutant, self._place))

    def look(self) -> tuple[Mutant, Outcome] | None:
        """Take in what the child says, or end it where it went too far; return what came of its mutant."""
        try:
            while self.connection.poll():
                said = self.connection.recv()
                if said == "ready":
                    self._ready = True
                elif isinstance(said, Outcome):
                    return self._over(said)
                else:
                    self._began, self._base, self._spent = time.monotonic(), said, _spent(self._process.pid)
                    self._seen: dict[str, int] = {}
                    self._wished = wished_seconds(self._process.pid, self._seen)
        except (EOFError, OSError):
            return self._crashed()
        if self._began is None:
            return None
        try:
            memory = (_resident(self._process.pid) - self._base) / MB
            spent = _spent(self._process.pid) - self._spent
            wished = wished_seconds(self._process.pid, self._seen) - self._wished
        except OSError:
            return self._crashed()
        waited = time.monotonic() - self._began - wished
        if memory > MEMORY:
            return self._killed(Outcome("memory", f"{memory:.0f} MB", memory, spent))
        if spent > SECONDS or waited > _WAITING:
            said = f"{spent:.1f} s of processor, {waited:.1f} s of waiting"
            return self._killed(Outcome("hang", said, memory, spent))
        return None

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _over(self, outcome: Outcome) -> tuple[Mutant, Outcome]:
        assert self._mutant is not None
        mutant, self._mutant = self._mutant, None
        shutil.rmtree(self._place, ignore_errors=True)
        if outcome.word in {"opened", "refused"}:
            if outcome.memory > MEMORY:
                outcome = Outcome("memory", f"{outcome.memory:.0f} MB", outcome.memory, outcome.seconds)
            elif outcome.seconds > SECONDS:
                outcome = Outcome("hang", f"{outcome.seconds:.1f} s", outcome.memory, outcome.seconds)
        if self._served >= _SERVES:
            self._replace()
        return mutant, outcome

    def _crashed(self) -> tuple[Mutant, Outcome]:
        self._process.join(5)
        code = self._process.exitcode
        return self._killed(Outcome("crash", f"exit code {code}"))

    def _killed(self, outcome: Outcome) -> tuple[Mutant, Outcome]:
        if self._mutant is None:
            raise RuntimeError(f"a child ended between two mutants: {outcome.said}")
        mutant, self._mutant = self._mutant, None
        self._replace()
        return mutant, outcome

    def _replace(self) -> None:
        self.end()
        self._start()

    def _start(self) -> None:
        self._number += 1
        self._served, self._ready, self._began = 0, False, None
        self._folder.mkdir(parents=True)
        self.connection, theirs = self._context.Pipe()
        self._process: Any = self._context.Process(target=serve, args=(theirs, self._folder, self._kinds), daemon=True)
        self._process.start()
        theirs.close()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def wished_seconds(pid: int, seen: dict[str, int]) -> float:
    """Return the seconds in which threads of a process had a processor, or wanted one: others had it.

    `seen` keeps what was last seen of each thread: with a thread that ends goes what it wanted.
    """
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            seen[task.name] = sum(map(int, (task / "schedstat").read_text(encoding="ascii").split()[:2]))
    return sum(seen.values()) / 1e9


def _spent(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
