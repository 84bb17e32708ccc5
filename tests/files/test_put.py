"""Something put in place at once, whatever ends meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from patience import SECONDS

from diffuscope.errors import InputError
from diffuscope.files import durable, put
from diffuscope.files.claim import is_claim
from diffuscope.files.durable import replacing
from diffuscope.files.put import in_place_of, is_leftover, put_text, remove


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


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_is_exchanged_or_steps_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr(put, "exchange", lambda *_: False)
    target = tmp_path / "made" / "out"
    put_folder(target, "old", replace=False)
    (target / "three").write_text("old")
    put_folder(target, "new", replace=True)
    assert content(tmp_path) == {"made/out/one": "new", "made/out/two": "new"}


def test_a_file_of_the_longest_name(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    put_text(target, "old", replace=False)
    put_text(Path(f"{target}/"), "new", replace=True)
    assert content(tmp_path) == {target.name: "new"}


def test_a_folder_is_replaced_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_folder(tmp_path / "out", "old", replace=False)
    monkeypatch.chdir(tmp_path / "out")
    put_folder(Path(), "new", replace=True)
    assert content(tmp_path) == {"out/one": "new", "out/two": "new"}


def test_what_came_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def write() -> None:
        with in_place_of(target, replace=False) as part:
            part.write_text("mine")
            target.write_text("yours")

    with pytest.raises(InputError, match="came into being meanwhile"):
        write()
    assert content(tmp_path) == {"out": "yours"}


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, r"the disk is full \(.*\): .*out could not be written to the end"),
        (errno.EDQUOT, "your share of the disk is used up "),
        (errno.EFBIG, "takes no file as large: "),
        (errno.EIO, r"out could not be written \(Input/output error\)"),
    ],
)
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str, where: str
) -> None:
    target = tmp_path / "out"
    put_folder(target, "old", replace=False)

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(put, "exchange", lambda *_: False)
    if where != "write":
        # Of the renames the second one, after the old folder has stepped aside.
        before_call(monkeypatch, 2, fail, names=(where,))
    with pytest.raises(InputError, match=sentence):
        put_folder(target, "new", replace=True, then=fail if where == "write" else lambda: None)
    assert content(tmp_path) == {"out/one": "old", "out/two": "old"}


def before_call(
    monkeypatch: pytest.MonkeyPatch, number: int, do: Callable[[], None], names: tuple[str, ...]
) -> list[str]:
    """Do something before the call of a number, from 1, of some functions of `os`; return the calls, as they come."""
    calls: list[str] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == number:
                do()
            return function(*given, **options)

        return call

    for name in names:
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    return calls


def killed_at(number: int, job: Callable[[], None], *, in_one_step: bool) -> bool:
    """Do a job in a child that is killed before its call of a number; whether it was."""
    child = os.fork()
    if child == 0:
        monkeypatch = pytest.MonkeyPatch()
        if not in_one_step:
            monkeypatch.setattr(put, "exchange", lambda *_: False)
        before_call(monkeypatch, number, lambda: os.kill(os.getpid(), signal.SIGKILL), _CALLS)
        try:
            job()
        except BaseException:  # noqa: BLE001  whatever it is, the parent's tests must not go on here
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


_CALLS = ("open", "mkdir", "fsync", "replace", "unlink", "rmdir", "close")
forks = pytest.mark.skipif(sys.platform != "linux", reason="forks, and exchanges names in one step")


@forks
@pytest.mark.parametrize("in_one_step", [True, False])
@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_folder_or_the_new_one(tmp_path: Path, in_one_step: bool) -> None:
    old, new = ({"one": text, "two": text} for text in ("old", "new"))
    seen = set()
    for number in range(1, 100):
        target = tmp_path / str(number) / "out"
        put_folder(target, "old", replace=False)
        alive = not killed_at(number, partial(put_folder, target, "new", replace=True), in_one_step=in_one_step)
        found = content(target)
        # The next who writes to the name, though not to the end, tidies up.
        with suppress(ZeroDivisionError), in_place_of(target, replace=True):
            1 / 0  # noqa: B018
        after = content(target)
        assert after in (old, new)
        # Where two steps are needed there is a moment between them.
        assert found == after or (not found and not in_one_step)
        assert [path.name for path in target.parent.iterdir()] == ["out"]
        seen.add((found or after)["one"])
        if alive:
            break
    assert alive
    assert number > 15
    assert seen == {"old", "new"}


@forks
@pytest.mark.slow
def test_a_kill_while_removing_leaves_all_or_nothing(tmp_path: Path) -> None:
    for number in range(1, 100):
        target = tmp_path / str(number) / "out"
        put_folder(target, "old", replace=False)
        alive = not killed_at(number, partial(remove, target), in_one_step=True)
        assert content(target) in ({"one": "old", "two": "old"}, {})
        put_text(target.parent / "other", "", replace=False)
        put_folder(target, "new", replace=True)
        assert sorted(path.name for path in target.parent.iterdir()) == ["other", "out"]
        if alive:
            break
    assert alive
    assert number > 5


@forks
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    def write(text: str) -> None:
        with replacing(file) as opened:
            opened.write(text.encode())

    file = tmp_path / "file"
    seen = []
    for number in range(1, 20):
        write("old")
        alive = not killed_at(number, lambda: write("new"), in_one_step=True)
        seen.append(file.read_text())
        write("again")
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        if alive:
            break
    assert seen == ["old"] * (len(seen) - 1) + ["new"]
    assert len(seen) > 2


def test_who_writes_still_is_not_cleared(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with in_place_of(target, replace=True) as first:
        first.write_text("first")
        put_text(target, "second", replace=True)
        assert [is_leftover(path.name) for path in tmp_path.iterdir() if path != target] == [True]
    assert content(tmp_path) == {"out": "first"}


def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    """As another user, since to root nothing is forbidden."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o555)
        code = (
            "import os, sys; from pathlib import Path; from diffuscope.files.put import put_text\n"
            "os.getuid() or os.setuid(65534)\n"
            "try: put_text(Path(sys.argv[1]), 'new', replace=True)\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        line = [sys.executable, "-c", code, str(folder / "out")]
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=SECONDS)
        assert done.stdout.startswith(f"InputError {folder / 'out'} could not be written (Permission denied)")
    finally:
        folder.rmdir()


def test_many_files_are_waited_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        (tmp_path / str(number)).touch()
    synced = before_call(monkeypatch, 0, lambda: None, ("fsync",))
    durable.tree_to_disk(tmp_path)
    assert len(synced) == 7
    monkeypatch.setattr(durable, "_FEW", 5)
    durable.tree_to_disk(tmp_path)
    assert len(synced) == (7 if sys.platform == "linux" else 14)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_file_that_is_too_large_is_told_also_where_the_library_hides_why(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from diffuscope.files.put import in_place_of\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    with in_place_of(Path(sys.argv[1]), replace=False) as part, part.open('wb') as file:\n"
        "        np.save(file, np.zeros(100_000))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "out")]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=SECONDS)
    assert done.stdout.startswith("InputError a limit ends files at 100 kB: ")
    assert not list(tmp_path.iterdir())
