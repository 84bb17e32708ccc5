"""Whether there is room, and what is said where there was none."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from diffuscope.errors import InputError
from diffuscope.files.room import check_room, full_disk_in_words, in_bytes


class Usage(NamedTuple):
    """As much of shutil.disk_usage as is looked at."""

    free: int


def test_room_is_looked_for_where_the_folder_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free=1000 if folder == tmp_path else 0))
    check_room(tmp_path / "a" / "b" / "out", 1000)
    with pytest.raises(InputError, match=r"out needs about 2.0 kB, but 1.0 kB are free in .*: make room"):
        check_room(tmp_path / "a" / "b" / "out", 2000)


@pytest.mark.parametrize(
    ("resume", "sentence"),
    [
        (True, r"the disk is full \(.* are free in .*\): out .*; make room and say --resume"),
        (False, "; make room, or choose another place"),
    ],
)
def test_a_full_disk_is_told_with_the_way_out(resume: bool, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence), full_disk_in_words(Path("out"), resume=resume):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("wrapper", [OSError, ValueError, RuntimeError])
@pytest.mark.parametrize("told", [True, False])
def test_a_full_disk_is_found_behind_the_words_of_a_library(wrapper: type[Exception], told: bool) -> None:
    full = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    error = wrapper(f"With tag (7FE0,0010) got exception: {full}\nTraceback")
    error.__cause__, error.__context__ = full if told else None, full
    sentence = r"^your share of the disk is used up .*: out could"
    with pytest.raises(InputError, match=sentence), full_disk_in_words(Path("out")):
        raise error


@pytest.mark.parametrize(
    ("number", "inside", "sentence"),
    [
        (
            errno.EROFS,
            False,
            "^read-only file system: .*out could not be written to the end; see to the disk and say --res",
        ),
        (errno.ENOENT, True, "^no such file or directory: .*out could not be written to the end; see to the disk and"),
        (errno.EACCES, True, "^permission denied: "),
        (errno.EIO, True, "^input/output error: "),
    ],
)
def test_a_disk_that_went_is_told(tmp_path: Path, number: int, inside: bool, sentence: str) -> None:
    file = str(tmp_path / "out" / "tiles" / "1_0.npy.part") if inside else None
    with pytest.raises(InputError, match=sentence), full_disk_in_words(tmp_path / "out", resume=True):
        raise OSError(number, os.strerror(number), file)
    with pytest.raises(OSError, match="No such file"), full_disk_in_words(tmp_path / "out", resume=True):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(tmp_path / "slide.tif"))


def test_a_sentence_stays_as_it_is() -> None:
    error = InputError("no room for this.")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(InputError, match=r"^no room for this\.$"), full_disk_in_words(Path("out")):
        raise error


def test_a_disk_that_takes_no_more_files_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        os,
        "statvfs",
        lambda _: SimpleNamespace(f_files=1000, f_favail=3, f_bavail=9, f_frsize=9, f_blocks=9, f_bfree=9),
        raising=False,
    )
    with pytest.raises(InputError, match=r"are free in .*, for 3 files\)"), full_disk_in_words(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (9_940, "9.9 kB"), (12_345_678, "12 MB"), (5e12, "5000 GB")],
)
def test_bytes_in_words(number: float, words: str) -> None:
    assert in_bytes(number) == words


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad"), OSError("no number"), ValueError("no disk")])
def test_every_other_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, full_disk_in_words(Path("out")):
        raise error
    assert caught.value is error
