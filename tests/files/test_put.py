"""Something put in place at once, whatever ends meanwhile."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed
import pytest
from killed import content, put_folder
from patience import SECONDS

from diffuscope.errors import InputError
from diffuscope.files import durable, put
from diffuscope.files.put import in_place_of, is_leftover, put_text


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
    calls, functions = killed.watched(number, do, names)
    for name, function in functions.items():
        monkeypatch.setattr(os, name, function)
    return calls


def moments(what: str, folder: Path, *, in_one_step: bool = True) -> list[dict[str, Any]]:
    """Return what was found after each kill, and at last after none."""
    line = [sys.executable, killed.__file__, what, str(folder), str(in_one_step)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    found = [json.loads(one) for one in done.stdout.splitlines()]
    assert [one["alive"] for one in found] == [False] * (len(found) - 1) + [True]
    return found


forks = pytest.mark.skipif(sys.platform != "linux", reason="forks, and exchanges names in one step")


@forks
@pytest.mark.parametrize("in_one_step", [True, False])
@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_folder_or_the_new_one(tmp_path: Path, in_one_step: bool) -> None:
    old, new = ({"one": text, "two": text} for text in ("old", "new"))
    every = moments("replaced", tmp_path, in_one_step=in_one_step)
    for one in every:
        assert one["after"] in (old, new)
        # Where two steps are needed there is a moment between them.
        assert one["found"] == one["after"] or (not one["found"] and not in_one_step)
        assert one["beside"] == ["out"]
    assert len(every) > 15
    assert {(one["found"] or one["after"])["one"] for one in every} == {"old", "new"}


@forks
@pytest.mark.slow
def test_a_kill_while_removing_leaves_all_or_nothing(tmp_path: Path) -> None:
    every = moments("removed", tmp_path)
    assert all(one["found"] in ({"one": "old", "two": "old"}, {}) for one in every)
    assert all(one["beside"] == ["other", "out"] for one in every)
    assert len(every) > 5


@forks
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    every = moments("rewritten", tmp_path)
    assert [one["found"] for one in every] == ["old"] * (len(every) - 1) + ["new"]
    assert all(one["beside"] == ["file"] for one in every)
    assert len(every) > 2


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
