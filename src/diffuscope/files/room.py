"""Whether a disk has room, and what to say when it turns out to have none."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffuscope.errors import DiffuscopeError, InputError

if sys.platform != "win32":
    import resource

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your share of the disk is used up"}
# Fewer files than this that a disk still takes are told: it may be full of them while bytes are free.
_FEW_FILES = 10_000


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
            f"{path} needs about {in_bytes(need)}, but {in_bytes(free)} are free in {parent}: "
            "make room, ask for less, or choose another disk."
        )


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above a path that exists."""
    # os.path.exists takes what may not be looked at for missing; Path.exists raises.
    return next(parent for parent in path.absolute().parents if os.path.exists(parent))  # noqa: PTH110


@contextmanager
def full_disk_in_words(path: Path, *, resume: bool = False) -> Iterator[None]:
    """Turn the error of a disk that is full, or cannot be written, into a sentence; every other stays what it is.

    Parameters
    ----------
    path : Path
        What is written meanwhile.
    resume : bool
        Whether what was written can be gone on with.

    Raises
    ------
    InputError
        There is no room for what is written, its disk can only be read by now, or a part of it was taken away.
    """
    try:
        yield
    except DiffuscopeError:
        raise
    except Exception as error:
        if (why := _why_full(error, path)) is not None:
            mend = "make room"
        elif (why := _why_not(error, path)) is not None:
            mend = "see to the disk"
        else:
            raise
        way_out = f"{mend} and say --resume to go on" if resume else f"{mend}, or choose another place"
        raise InputError(f"{why}: {path} could not be written to the end; {way_out}.") from error


def in_bytes(number: float) -> str:
    """Return a number of bytes in words, e.g. ``"3.1 MB"``."""
    power = next(power for power in (0, 1, 2, 3) if power == 3 or number < 999.5 * 1000**power)
    value = number / 1000**power
    return f"{value:.{0 if value >= 9.95 or not power else 1}f} {('bytes', 'kB', 'MB', 'GB')[power]}"


def _why_full(error: BaseException, path: Path) -> str | None:
    """Return in words what is full and how much room there is, or None where the error is another one."""
    number = _number(error)
    limit = _limit()
    # numpy counts what it could write, and does not say why.
    if number is None and " requested and " in str(error):
        number = errno.ENOSPC if limit is None else errno.EFBIG
    if number == errno.EFBIG:
        return "the disk takes no file as large" if limit is None else f"a limit ends files at {in_bytes(limit)}"
    return f"{_FULL[number]} ({_left(path)})" if number in _FULL else None


def _why_not(error: BaseException, path: Path) -> str | None:
    """Return in words why nothing can be written to a path, or None where the error is of something else."""
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    of_path = isinstance(error.filename, str | Path) and Path(error.filename).absolute().is_relative_to(path.absolute())
    return error.strerror[0].lower() + error.strerror[1:] if of_path or error.errno == errno.EROFS else None


def _number(error: BaseException | None) -> int | None:
    """Return the number of a full disk, or of a limit, that an error came of: libraries have words of their own."""
    while error is not None:
        if isinstance(error, OSError) and (error.errno in _FULL or error.errno == errno.EFBIG):
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _left(path: Path) -> str:
    parent = existing_parent(path)
    left = f"{in_bytes(shutil.disk_usage(parent).free)} are free in {parent}"
    if hasattr(os, "statvfs") and (at := os.statvfs(parent)).f_files and at.f_favail < _FEW_FILES:
        left += f", for {at.f_favail} files"
    return left


def _limit() -> int | None:
    """Return the limit on the size of this process's files, bytes; None where there is none."""
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit
