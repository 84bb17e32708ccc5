"""May something be written here: the one answer, in one wording, for everything that Diffuscope writes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffuscope.errors import InputError
from diffuscope.files.claim import HELD, check_free
from diffuscope.files.room import existing_parent

#: What becomes of what lies at a place: nothing is there, it is replaced, it is gone on with.
Standing = Literal["new", "replaced", "resumed"]
#: Whether a file, by its path in a folder with slashes, is a part of what the folder is.
Parts = Callable[[str], bool]
# What processes that write leave in a folder for a while, and what systems put everywhere.
_PASSING = re.compile(rf"(?:.*/)?(?:\.part-|{re.escape(HELD)}|\._|(?:\.DS_Store|Thumbs\.db|desktop\.ini)$)")


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
    parts : callable
        Returns, of a folder of this kind, what tells its own files from a user's, which are never removed with it.
    """

    noun: str
    is_one: Callable[[Path], bool]
    is_folder: bool = True
    parts: Callable[[Path], Parts] = lambda _: lambda _: True


def parts_named(pattern: str) -> Callable[[Path], Parts]:
    """Return the parts of a kind whose files are known by a regular expression of their paths."""
    known = re.compile(rf"(?:{pattern})(?:\.part)?")
    return lambda _: lambda path: known.fullmatch(path) is not None


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
    check_apart(target, keep=keep, outside=outside)
    if os.path.ismount(target):
        raise InputError(f"{target} is where a disk begins: choose a name for a folder in it.")
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
    if (stranger := next(_strangers(target, kind), None)) is not None:
        raise InputError(
            f"{target} holds {stranger}, which is no part of {kind.noun} and would go with it: move that away, or "
            "choose another name."
        )
    check_free(target)
    return "replaced"


def is_passing(path: str) -> bool:
    """Whether a file, by its path in a folder, is one that others leave there: writers for a while, systems always."""
    return _PASSING.match(path) is not None


def named(path: Path) -> Path:
    """Return a path whose last part is a name, where it has one at all: "." and ".." are none."""
    return path.resolve() if path.name in {"", ".."} else path


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


def _strangers(target: Path, kind: Kind) -> Iterator[str]:
    """Yield the files in a folder that are no part of what it is; a link is a file."""
    if not kind.is_folder:
        return
    is_part = kind.parts(target)
    for folder, folders, names in os.walk(target):
        for name in (*names, *(one for one in folders if (Path(folder) / one).is_symlink())):
            path = (Path(folder) / name).relative_to(target).as_posix()
            if not (is_part(path) or is_passing(path)):
                yield path


def check_apart(target: Path, *, keep: Iterable[Path] = (), outside: Iterable[Path] = ()) -> None:
    """Refuse a place that is, or would hold, what is kept, or lies in what is only read (see `check_place`).

    By whatever name: a link, another name of the same file, or other letters where the disk does not tell them apart.
    """
    place, above = _real(target), None
    own = _identity(place)
    for one in keep:
        real = _real(one)
        if real.is_relative_to(place) or (own is not None and own in _identities(real)):
            raise InputError(f"{target} is, or holds, {one}, which is read for it: choose another place.")
    for one in outside:
        real, above = _real(one), above or set(_identities(place))
        if place.is_relative_to(real) or _identity(real) in above:
            raise InputError(f"{target} lies in {one}, which is only read: choose another place.")


def _real(path: Path) -> Path:
    """Return a path without links; unlike `Path.resolve` this takes links that lead round in a circle."""
    return Path(os.path.realpath(path))


def _identities(path: Path) -> Iterator[tuple[int, int]]:
    """Yield what tells a path, and each folder above it, from every other file, however that is named."""
    for one in (path, *path.parents):
        if (found := _identity(one)) is not None:
            yield found


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        about = path.stat()
        return (about.st_dev, about.st_ino) if about.st_ino else None
    return None
