"""May something be written here: the one answer, in one wording, for everything that Diffuscope writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffuscope.errors import InputError
from diffuscope.files.claim import check_free
from diffuscope.files.room import existing_parent

#: What becomes of what lies at a place: nothing is there, it is replaced, it is gone on with.
Standing = Literal["new", "replaced", "resumed"]


@dataclass(frozen=True)
class Kind:
    """A kind of thing that Diffuscope writes, and so may replace; nothing else is ever replaced.

    Attributes
    ----------
    noun : str
        With its article, as in "a Diffuscope result".
    is_one : callable
        Whether what lies at a path is of this kind; must not raise.
    is_folder : bool
        Whether it is a folder: an empty one in its place counts as nothing.
    """

    noun: str
    is_one: Callable[[Path], bool]
    is_folder: bool = True


FILE = Kind("a file", Path.is_file, is_folder=False)
FOLDER = Kind("a folder", Path.is_dir)


def check_place(
    target: Path,
    kind: Kind,
    *,
    overwrite: bool = False,
    resume: bool | None = None,
    keep: Iterable[Path] = (),
    outside: Iterable[Path] = (),
    way_out: str | None = None,
) -> Standing:
    """Say what is to become of a place; refuse one where nothing may be written.

    Nothing is written or removed here: `diffuscope.files.put.in_place_of` does that.

    Parameters
    ----------
    target : Path
        What is to be written. Folders above it that are missing are made when it is.
    kind : Kind
        Of what is to be written.
    overwrite : bool
        Whether one of its kind may be replaced.
    resume : bool, optional
        Whether one of its kind is to be gone on with; None where that cannot be.
    keep : iterable of Path
        What is read meanwhile, or later: must not be the target, nor lie in it.
    outside : iterable of Path
        Folders that the target must not lie in.
    way_out : str, optional
        What to do about one of its kind in the way; default in the words of the command line.

    Returns
    -------
    {"new", "replaced", "resumed"}

    Raises
    ------
    InputError
        Something is in the way, the place cannot be written, or another process is writing there.
    """
    if overwrite and resume:
        raise InputError("--resume goes on with what is there and --overwrite begins it again: choose one.")
    _check_apart(target, keep, outside)
    if not _lies_there(target) or (kind.is_folder and is_empty_folder(target)):
        _check_writable(existing_parent(target), target)
        return "new"
    if resume and kind.is_one(target):
        _check_writable(target, target)
        check_free(target)
        return "resumed"
    if target.is_symlink() or not kind.is_one(target):
        what = "a link" if target.is_symlink() else f"not {kind.noun}"
        raise InputError(f"{target} exists already, is {what} and is never overwritten: choose another name.")
    if not overwrite:
        again = "say --resume to go on with it, --overwrite to begin again, or choose another name"
        default = "choose another name, or say --overwrite" if resume is None else again
        raise InputError(f"{target} exists already: {way_out or default}.")
    _check_writable(target.absolute().parent, target)
    check_free(target)
    return "replaced"


def is_empty_folder(path: Path) -> bool:
    """Whether a path is a folder, no link to one, in which nothing lies."""
    with suppress(OSError):
        return path.is_dir() and not path.is_symlink() and not any(path.iterdir())
    return False


def _lies_there(target: Path) -> bool:
    try:
        target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}): choose another name.") from error
    return True


def _check_writable(folder: Path, target: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: choose another place for {target.name}.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written into {folder}: choose another place for {target.name}.")


def _check_apart(target: Path, keep: Iterable[Path], outside: Iterable[Path]) -> None:
    place = _real(target)
    for one in keep:
        if _real(one).is_relative_to(place):
            raise InputError(f"{target} is, or holds, {one}, which is read for it: choose another place.")
    for one in outside:
        if place.is_relative_to(_real(one)):
            raise InputError(f"{target} lies in {one}, which is only read: choose another place.")


def _real(path: Path) -> Path:
    """Return a path without links; unlike `Path.resolve` this takes links that lead round in a circle."""
    return Path(os.path.realpath(path))
