"""Whether a disk has room, and what to say when it turns out to have none."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffuscope.errors import InputError

_WHY = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is used up",
    errno.EFBIG: "the disk, or a limit, allows no file as large",
}


def check_room(path: Path, need: int) -> None:
    """Refuse to write what the disk is not likely to have room for.

    Parameters
    ----------
    path : Path
        What is to be written; need not exist, nor its folder.
    need : int
        Bytes.

    Raises
    ------
    InputError
        Fewer are free.
    """
    parent = existing_parent(path)
    free = shutil.disk_usage(parent).free
    if need > free:
        raise InputError(
            f"{path} needs about {need / 1e9:.2g} GB, but {free / 1e9:.2g} GB are free in {parent}: "
            "make room, ask for less, or choose another disk."
        )


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above a path that exists."""
    # os.path.exists takes what may not be looked at for missing; Path.exists raises.
    return next(parent for parent in path.absolute().parents if os.path.exists(parent))  # noqa: PTH110


@contextmanager
def full_disk_in_words(path: Path, *, resume: bool = False) -> Iterator[None]:
    """Turn the error of a full disk, a quota or a limit into a sentence; every other error stays what it is.

    Parameters
    ----------
    path : Path
        What is written meanwhile.
    resume : bool
        Whether what was written can be gone on with.

    Raises
    ------
    InputError
        There is no room for what is written.
    """
    try:
        yield
    except OSError as error:
        if (why := _why_full(error)) is None:
            raise
        way_out = "make room and say --resume to go on" if resume else "make room, or choose another place"
        raise InputError(f"{why}: {path} could not be written to the end; {way_out}.") from error


def _why_full(error: OSError) -> str | None:
    """Return in words what is full, or None where the error is another one."""
    # numpy counts what it could write, and does not say why.
    if error.errno is None and " requested and " in str(error):
        return _WHY[errno.ENOSPC]
    return _WHY.get(error.errno or 0)
