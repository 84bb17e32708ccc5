"""Whether there is room, and what is said where there was none."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from diffuscope.errors import InputError
from diffuscope.files.room import check_room, full_disk_in_words


class Usage(NamedTuple):
    """As much of shutil.disk_usage as is looked at."""

    free: int


def test_room_is_looked_for_where_the_folder_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free=1000 if folder == tmp_path else 0))
    check_room(tmp_path / "a" / "b" / "out", 1000)
    with pytest.raises(InputError, match=r"out needs about 2e-06 GB, but 1e-06 GB are free in .*: make room"):
        check_room(tmp_path / "a" / "b" / "out", 2000)


@pytest.mark.parametrize(
    ("resume", "sentence"),
    [(True, "the disk is full: out .*; make room and say --resume"), (False, "; make room, or choose another place")],
)
def test_a_full_disk_is_told_with_the_way_out(resume: bool, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence), full_disk_in_words(Path("out"), resume=resume):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad"), OSError("no number"), ValueError("no disk")])
def test_every_other_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, full_disk_in_words(Path("out")):
        raise error
    assert caught.value is error
