"""Folders that came from elsewhere: nothing in them leads out of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from diffuscope.errors import InputError


def check_inside(folder: Path, *, leave_out: Collection[Path] = ()) -> None:
    """Refuse a folder in which there is anything but files and folders: a link, a pipe, a device.

    Parameters
    ----------
    folder : Path
        Looked through with all that is in it; may be a link itself.
    leave_out : collection of Path
        Folders in it of which only that they are folders is looked at.

    Raises
    ------
    InputError
        Names the first such thing.
    """
    waiting = [folder]
    while waiting:
        # What is written meanwhile comes and goes.
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as found:
            for one in found:
                if one.is_dir(follow_symlinks=False):
                    if Path(one.path) not in leave_out:
                        waiting.append(Path(one.path))
                elif not one.is_file(follow_symlinks=False):
                    raise _leads_out(Path(one.path), folder)


def read_inside(file: Path, folder: Path, *, most: int) -> bytes:
    """Return the content of a file of a folder; neither it nor what it lies in may lead out of the folder.

    Parameters
    ----------
    file, folder : Path
        The file, which lies somewhere in the folder.
    most : int
        Bytes that it may have.

    Raises
    ------
    FileNotFoundError
        There is none.
    InputError
        It is a link, lies behind one, is no file, or has more bytes than it may.
    OSError
        It cannot be read.
    """
    # Without waiting: who opens a pipe would wait until something is written into it.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        opened = os.open(file, flags)
    except OSError:
        if file.is_symlink():
            raise _leads_out(file, folder) from None
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _leads_out(file, folder)
    with os.fdopen(opened, "rb") as content:
        real = os.path.realpath(folder)
        if os.path.realpath(file.parent) != str(Path(real, *file.parent.relative_to(folder).parts)):
            raise _leads_out(file, folder)
        found = content.read(most + 1)
    if len(found) > most:
        raise InputError(
            f"{folder.name} is damaged: {file.relative_to(folder)} is larger than it can be; run it again."
        )
    return found


def _leads_out(one: Path, folder: Path) -> InputError:
    what = "a link" if one.is_symlink() else "no file, or lies behind a link"
    return InputError(
        f"{folder.name} holds {one.relative_to(folder)}, which is {what}: what leads out of a folder is not followed; "
        "put the file itself there, or make the result again."
    )
