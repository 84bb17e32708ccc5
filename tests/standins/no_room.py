"""Command lines tried where there is no room: disks of many sizes, of few files, and limits on a file's size.

Run as a program in a mount namespace of its own (`unshare -Urm`), so that its disks vanish with it. It is asked on
standard input, a JSON list of cases a line. Each command line runs in a fork of one process that has imported
everything; what it left is told on standard output, a JSON line a trial, and a blank line ends the answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO

from patience import SECONDS
from typer.main import get_command

import diffuscope.cli

PAGE = 4096
ENOUGH = 2**30
#: What is short: bytes of the disk, files and folders on it, bytes of one file.
KINDS = ("disk", "files", "limit")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command line to be tried.

    Attributes
    ----------
    name : str
    line : list of str
        Words after ``diffuscope``; ``DISK`` stands for the small disk.
    before : dict of str to str
        Files and folders that lie on it beforehand, by their name there, and what they are copies of.
    again : list of str
        The line that goes on with what was left, once there is room.
    """

    name: str
    line: list[str]
    before: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of a command line; `tree` has the digest of each file by its path, and of each folder ""."""

    case: str
    kind: str
    amount: int
    status: int
    said: str
    seconds: float
    tree: dict[str, str]
    status_again: int | None = None
    said_again: str = ""
    tree_again: dict[str, str] = field(default_factory=dict)


class Disk:
    """A disk in memory of a size that can be changed."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def mount(self, before: dict[str, str]) -> None:
        """Make it anew, with room for all, and put there what lies there beforehand."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ENOUGH}", "tmpfs", str(self.place)], check=True)
        for name, source in before.items():
            copy = shutil.copytree if Path(source).is_dir() else shutil.copy2
            copy(source, self.place / name)

    def used(self) -> tuple[int, int]:
        """Return bytes, and files with folders."""
        at = os.statvfs(self.place)
        return (at.f_blocks - at.f_bfree) * at.f_frsize, at.f_files - at.f_ffree

    def leave(self, *, size: int = ENOUGH, files: int = 2**17) -> None:
        """Leave room for so many bytes, in whole pages, and so many files and folders."""
        bytes_used, files_used = self.used()
        # Of size 0 a tmpfs has no limit.
        most = max(PAGE, bytes_used + size // PAGE * PAGE)
        options = f"remount,size={most},nr_inodes={files_used + files}"
        subprocess.run(["mount", "-o", options, str(self.place)], check=True)

    def unmount(self) -> None:
        """Let it go."""
        subprocess.run(["umount", "-l", str(self.place)], check=True)

    def tree(self) -> dict[str, str]:
        """Return what lies there."""
        found = {}
        for folder, folders, names in os.walk(self.place):
            for name in names:
                path = Path(folder) / name
                found[str(path.relative_to(self.place))] = hashlib.sha256(path.read_bytes()).hexdigest()
            for name in folders:
                found[str((Path(folder) / name).relative_to(self.place))] = ""
        return found


def call(line: list[str], *, limit: int | None = None, modules: IO[str] | None = None) -> tuple[int, str]:
    """Run a command line in a child, with a limit on the size of its files; return its status and all it said.

    The names of the modules that it has then imported are written to `modules`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 70
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                _app()(line)
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
            except BaseException:  # noqa: BLE001  what the trial is to show
                import traceback

                traceback.print_exc()
                status = 1
            sys.stdout.flush()
            sys.stderr.flush()
            if modules is not None:
                modules.write("\n".join(sys.modules))
                modules.flush()
        finally:
            os._exit(status)
    os.close(writing)
    alarm = threading.Timer(SECONDS, lambda: os.kill(child, 9))
    alarm.start()
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    alarm.cancel()
    return os.waitstatus_to_exitcode(status), said


@cache
def _app() -> Callable[[list[str]], None]:
    """Return the program, whose commands are put together once for all children."""
    return get_command(diffuscope.cli.app)


def trials(case: Case, disk: Disk, *, steps: int) -> Iterator[Trial]:
    """Try a line with room, and then with ever more of it, each time the middle of a step towards what it took."""
    line, again = ([word.replace("DISK", str(disk.place)) for word in words] for words in (case.line, case.again))
    whole, needs = _try(case, disk, line, again, "room", 0)
    yield whole
    for kind in KINDS:
        for amount in sorted({int(needs[kind] * (step + 0.5) / steps) for step in range(steps)}):
            yield _try(case, disk, line, again, kind, amount)[0]


def _try(
    case: Case, disk: Disk, line: list[str], again: list[str], kind: str, amount: int
) -> tuple[Trial, dict[str, int]]:
    disk.mount(case.before)
    try:
        before = disk.used()
        if kind == "disk":
            disk.leave(size=amount)
        elif kind == "files":
            disk.leave(files=amount)
        begin = time.monotonic()
        if kind == "room":
            with tempfile.TemporaryFile("w+") as modules:
                status, said = call(line, modules=modules)
                _import(modules)
        else:
            status, said = call(line, limit=amount if kind == "limit" else None)
        seconds = time.monotonic() - begin
        disk.leave()
        after, tree = disk.used(), disk.tree()
        largest = max((path.stat().st_size for path in disk.place.rglob("*") if path.is_file()), default=0)
        then: dict[str, object] = {}
        if again and status:
            status_again, said_again = call(again)
            then = {"status_again": status_again, "said_again": said_again, "tree_again": disk.tree()}
    finally:
        disk.unmount()
    trial = Trial(
        case=case.name, kind=kind, amount=amount, status=status, said=said, seconds=seconds, tree=tree, **then
    )
    return trial, {"disk": after[0] - before[0], "files": after[1] - before[1], "limit": largest}


def _import(modules: IO[str]) -> None:
    """Import once here what a child has imported, and each after it would."""
    modules.seek(0)
    for name in modules.read().split():
        if name not in sys.modules:
            with suppress(ImportError):  # some are put there by others under a name of their own
                import_module(name)


def main(place: Path, steps: int) -> None:
    """Try the cases that come in on a disk that is mounted at a folder."""
    # As if another program filled the disk meanwhile: what is estimated beforehand is more than is needed.
    import diffuscope.files.room

    diffuscope.files.room.check_room = lambda *_: None
    # All that a verb imports, once: what is forked has no threads yet.
    import pytorch_lightning  # noqa: F401
    import standins
    import toys

    import diffuscope.api.evaluate
    import diffuscope.api.register
    import diffuscope.api.train
    from diffuscope.evaluation.metrics.features import RandomConvFeatures
    from diffuscope.simulation.restaining import example
    from diffuscope.systems import registry

    # What is painted, and how alike pictures are, takes seconds, and has no part in where it is written.
    example.other_laboratory = lambda he: (he, he)
    RandomConvFeatures._CHANNELS, RandomConvFeatures.dimension = (3, 2, 2, 2, 2), 16

    registry._ROWS |= {**toys.ROWS, "hounsfield": standins.row(standins.Hounsfield)}
    disk = Disk(place)
    _app()
    for asked in sys.stdin:
        for about in json.loads(asked):
            for trial in trials(Case(**about), disk, steps=steps):
                print(json.dumps(asdict(trial)), flush=True)
        print(flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
