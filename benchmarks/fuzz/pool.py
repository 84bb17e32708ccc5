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
# One that waits, for a pipe or a lock, uses no processor. It may wait for a disk.
_WAITING = 4 * SECONDS
# How often a child is looked at, and for how long one look speaks: on a busy machine the next one may be late.
_LOOK, _SPEAKS = 0.02, 1.0
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
        Module of how each kind is opened (see `serve`).
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
        self._mutant, self._began = mutant, False
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
                    self._base, self._spent = said, _spent(self._process.pid)
                    self._looked, self._waited, self._began = time.monotonic(), 0.0, True
        except (EOFError, OSError):
            return self._crashed()
        if not self._began:
            return None
        try:
            memory = (_resident(self._process.pid) - self._base) / MB
            spent = _spent(self._process.pid) - self._spent
            waits = _waits(self._process.pid)
        except OSError:
            return self._crashed()
        before, self._looked = self._looked, time.monotonic()
        self._waited += waits * min(self._looked - before, _SPEAKS)
        if memory > MEMORY:
            return self._killed(Outcome("memory", f"{memory:.0f} MB", memory, spent))
        if spent > SECONDS or self._waited > _WAITING:
            said = f"{spent:.1f} s of processor, {self._waited:.1f} s of waiting"
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
        self._served, self._ready, self._began = 0, False, False
        self._folder.mkdir(parents=True)
        self.connection, theirs = self._context.Pipe()
        self._process: Any = self._context.Process(target=serve, args=(theirs, self._folder, self._kinds), daemon=True)
        self._process.start()
        theirs.close()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def _waits(pid: int) -> bool:
    """Whether no thread of a process has a processor, or wants one that others have."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            if (task / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] == "R":
                return False
    return True


def _spent(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
