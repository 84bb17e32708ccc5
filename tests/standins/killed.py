"""What is killed while it puts something in place, as a program of its own that has imported little.

To fork a process that has imported what all tests import takes as long as a hundred forks of this one. For each moment
it tells on standard output, as a line of JSON, what was found after the kill and what the next who writes leaves.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from diffuscope.files import put
from diffuscope.files.claim import is_claim
from diffuscope.files.durable import replacing
from diffuscope.files.put import in_place_of, put_text, remove

_CALLS = ("open", "mkdir", "fsync", "replace", "unlink", "rmdir", "close")


def content(folder: Path) -> dict[str, str]:
    """Return the text of every file in a folder by its path, but of those that tell who writes there."""
    files = {file.relative_to(folder): file for file in folder.rglob("*") if file.is_file()}
    return {str(path): file.read_text() for path, file in files.items() if not any(map(is_claim, path.parts))}


def put_folder(path: Path, text: str, *, replace: bool, then: Callable[[], None] = lambda: None) -> None:
    """Write a folder of two files, and do something before it is put in place."""
    with in_place_of(path, replace=replace) as part:
        part.mkdir()
        for name in ("one", "two"):
            (part / name).write_text(text)
        then()


def watched(number: int, do: Callable[[], None], names: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Return what does something before the call of a number, from 1, of some functions of `os`, and these calls."""
    calls: list[str] = []

    def watch(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == number:
                do()
            return function(*given, **options)

        return call

    return calls, {name: watch(name, getattr(os, name)) for name in names}


def killed_at(number: int, job: Callable[[], None]) -> bool:
    """Do a job in a child that is killed before its call of a number; whether it was."""
    child = os.fork()
    if child == 0:
        for name, function in watched(number, lambda: os.kill(os.getpid(), signal.SIGKILL), _CALLS)[1].items():
            setattr(os, name, function)
        try:
            job()
        except BaseException:  # noqa: BLE001  whatever it is, the parent must not go on here
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


def replaced(folder: Path) -> Iterator[dict[str, Any]]:
    """Replace a folder."""
    for number in range(1, 100):
        target = folder / str(number) / "out"
        put_folder(target, "old", replace=False)
        alive = not killed_at(number, partial(put_folder, target, "new", replace=True))
        found = content(target)
        # The next who writes to the name, though not to the end, tidies up.
        with suppress(ZeroDivisionError), in_place_of(target, replace=True):
            1 / 0  # noqa: B018
        yield {"alive": alive, "found": found, "after": content(target), "beside": names(target.parent)}


def removed(folder: Path) -> Iterator[dict[str, Any]]:
    """Remove a folder."""
    for number in range(1, 100):
        target = folder / str(number) / "out"
        put_folder(target, "old", replace=False)
        alive = not killed_at(number, partial(remove, target))
        found = content(target)
        put_text(target.parent / "other", "", replace=False)
        put_folder(target, "new", replace=True)
        yield {"alive": alive, "found": found, "beside": names(target.parent)}


def rewritten(folder: Path) -> Iterator[dict[str, Any]]:
    """Write a file anew."""

    def write(text: str) -> None:
        with replacing(folder / "file") as opened:
            opened.write(text.encode())

    for number in range(1, 20):
        write("old")
        alive = not killed_at(number, partial(write, "new"))
        found = (folder / "file").read_text()
        write("again")
        yield {"alive": alive, "found": found, "beside": names(folder)}


def names(folder: Path) -> list[str]:
    """Return the names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def main(what: str, folder: str, in_one_step: str) -> None:
    """Kill at one moment after another, until the job ends before it is killed."""
    if in_one_step == "False":
        put.exchange = lambda *_: False
    put._SETTLES = 0.0  # no library has threads here
    os.fsync = lambda _file: None  # what only a loss of power could tell from the rest
    for moment in {"replaced": replaced, "removed": removed, "rewritten": rewritten}[what](Path(folder)):
        print(json.dumps(moment))
        if moment["alive"]:
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
