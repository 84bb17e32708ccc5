"""The process that opens mutants, many of them one after the other: what one may do to it is what is measured."""

from __future__ import annotations

import os
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.kind import Kind, copy_sample
from benchmarks.fuzz.mutate import OUTSIDE, mutate

MB = 1 << 20
# Where nobody looks fast enough. Address space, which libraries map more of than they fill.
_NET = 8192 * MB
_LONGEST = 700


@dataclass(frozen=True)
class Mutant:
    """Which one: the same again from the same seed.

    Attributes
    ----------
    kind : str
        What it is a mutant of (see `benchmarks.fuzz.openers.KINDS`).
    seed : int
        Of its mutations.
    made : Path
        The valid one that it comes from.
    """

    kind: str
    seed: int
    made: Path

    def write(self, folder: Path) -> Path:
        """Write it into an empty folder."""
        path = copy_sample(self.made, folder)
        mutate(path, Random(f"{self.kind} {self.seed}"))  # noqa: S311  reproducible, not secret
        return path


@dataclass(frozen=True)
class Outcome:
    """What came of it: a word, what was said, MB more than before, seconds of processor, and whether it was silent."""

    word: str
    said: str = ""
    memory: float = 0.0
    seconds: float = 0.0
    noise: str = ""


def serve(connection: Any, scratch: Path, kinds: str) -> None:
    """Open one mutant after the other until None comes.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
        Gives (`Mutant`, folder to write it into); gets "ready", then of each bytes in use before it, and an `Outcome`.
    scratch : Path
        Folder of this process.
    kinds : str
        Module whose ``KINDS`` say how each kind is opened, and whose ``warm`` imports what that takes.
    """
    log = scratch / "terminal"
    temporary = scratch / "tmp"
    temporary.mkdir(parents=True)
    os.environ["TMPDIR"] = str(temporary)
    handle = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(handle, stream.fileno())
    module = import_module(kinds)
    known: Mapping[str, Kind] = module.KINDS
    module.warm()
    space = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + _NET, space))
    connection.send("ready")
    while (job := connection.recv()) is not None:
        mutant, folder = job
        folder.mkdir()
        path = mutant.write(folder)
        before = listing(folder) | listing(temporary)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        os.ftruncate(handle, 0)
        base = _status("VmRSS")
        connection.send(base)
        began = time.process_time()
        word, said = _open(known[mutant.kind], path)
        seconds = time.process_time() - began
        memory = (_status("VmHWM") - base) / MB
        sys.stdout.flush()
        sys.stderr.flush()
        noise = log.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
        if word in {"opened", "refused"} and (
            stray := _strays(before, listing(folder) | listing(temporary), known[mutant.kind])
        ):
            word, said = "stray", ", ".join(stray)
        connection.send(Outcome(word, said, memory, seconds, noise))


def _open(kind: Kind, path: Path) -> tuple[str, str]:
    from diffuscope.errors import DiffuscopeError

    try:
        kind.open(path)
    except DiffuscopeError as error:
        said = str(error)
        return ("refused" if _is_sentence(said) else "unclear"), said
    except MemoryError:
        return "memory", traceback.format_exc()
    except BaseException:  # noqa: BLE001  whatever it is, it was not foreseen
        return "traceback", traceback.format_exc()
    return "opened", ""


def _is_sentence(said: str) -> bool:
    return said.endswith((".", "?", ")")) and "\n" not in said and len(said) < _LONGEST and said.isprintable()


def listing(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return what lies in a folder and its folders, by path: what kind, how large, since when."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(place, name)  # noqa: PTH118  many
            about = os.lstat(path)
            times = () if name in folders else (about.st_size, about.st_mtime_ns)
            found[path] = (about.st_mode, *times)
    return found


def _strays(before: dict[str, Any], after: dict[str, Any], kind: Kind) -> list[str]:
    """Return what came, went or changed and should not have."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return sorted(path for path in changed if OUTSIDE in Path(path).parts or kind.writes not in Path(path).parts)


def _status(key: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0
