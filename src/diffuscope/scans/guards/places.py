"""Whether a path is something that can be read: there, no address, no pipe, and not outside its own folder."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from diffuscope.errors import InputError

# "https://host/…", "s3://bucket/…": `Path` keeps one slash of the two. A Windows drive has one letter.
_READ = re.compile(r"(?i)(https?|s3):/+([^/].*)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def address_of(path: Path) -> str:
    """Return the address that a path was made of: its two slashes have become one; empty where it is none."""
    found = _READ.match(path.as_posix())
    return f"{found.group(1).lower()}://{found.group(2)}".rstrip("/") if found else ""


def check_there(path: Path) -> None:
    """Refuse what is neither a file nor a folder, without opening it: a pipe would be waited for, a device never ends.

    Raises
    ------
    InputError
        Nothing lies there, it is an address of the net, or a pipe, a device or a socket.
    """
    if _ADDRESS.match(str(path)):
        raise InputError(
            f"{path.name} is an address, of which OME-Zarr alone is read (https://…, s3://…): copy the file here first."
        )
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # a link to itself, a name that is too long, one with a zero byte
        if isinstance(error, PermissionError):
            raise InputError(f"{path.name} cannot be read ({error.strerror}); ask for the right to.") from error
        if path.is_symlink():
            raise InputError(f"{path.name} is a link to what is not there; give the file itself.") from error
        raise InputError(f"{path.name} does not exist; check the path.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path.name} is a pipe, a device or a socket, and no file: give a file.")


def check_regular(path: Path, name: str, what: str) -> None:
    """Refuse a part of an image that is no plain file.

    Parameters
    ----------
    path : Path
        Of the part.
    name, what : str
        For the message: of the image, and what part it is.

    Raises
    ------
    InputError
        It is a link, a pipe, a device or a socket.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise InputError(f"{name} has {what} ({path.name}) that is a link or no file: put the file itself there.")


def inside(folder: Path, name: str, of: str) -> Path:
    """Return the path that a file names of another one, where it lies in the same folder and no link leads elsewhere.

    Parameters
    ----------
    folder : Path
        Of the file that names it.
    name : str
        As it stands there.
    of : str
        Name of that file, for messages.

    Raises
    ------
    InputError
        It leads out of the folder, or is a link.
    """
    # A name written on Windows has its separators wherever it is read.
    parts = re.split(r"[\\/]", name)
    if not name or "\0" in name or ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise InputError(f"{of} names a file outside its folder ({name[:80]!r}), which is not followed.")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise InputError(f"{of} names {name[:80]!r}, a link, which is not followed: put the file itself there.")
    return path
