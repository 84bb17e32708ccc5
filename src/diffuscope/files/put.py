"""Something put in place at once: whoever looks, and whatever ends meanwhile, finds the old thing or the new one."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.files.durable import names_to_disk, tree_to_disk
from diffuscope.files.linux import exchange
from diffuscope.files.place import is_empty_folder
from diffuscope.files.room import full_disk_in_words

if sys.platform != "win32":
    import fcntl

_PREFIX = ".part-"
# Seconds in which threads of a library that failed end what they had begun.
_SETTLES = 0.1


@contextmanager
def in_place_of(path: Path, *, replace: bool) -> Iterator[Path]:
    """Give a temporary path on the same disk, which takes the place of `path` at the end, or vanishes on failure.

    It is on disk before it counts, and the name is when this ends. What a killed process left under way to the same
    name is cleared first. A folder in the way is exchanged for the new one in one step, on Linux; elsewhere it steps
    aside, and comes back where the process is killed just then and this is called again.

    Parameters
    ----------
    path : Path
        File or folder to write; folders above it are made.
    replace : bool
        Whether something may lie there (see `diffuscope.files.place.check_place`), which goes once the new one is in
        its place.

    Yields
    ------
    Path
        Of the same name, in a hidden folder of its own; does not exist yet.

    Raises
    ------
    InputError
        Writing failed: no room, no right, a disk that went away; or something came into the way meanwhile.
    """
    target = _absolute(path)
    try:
        with full_disk_in_words(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            _clear(target)
            _check_free(target, replace=replace)
            with _scratch(target) as scratch:
                part = scratch / "new" / target.name
                part.parent.mkdir()
                yield part
                tree_to_disk(part)
                _check_free(target, replace=replace)
                _put(part, target, scratch / "old")
                names_to_disk(target.parent)
    except OSError as error:
        raise InputError(f"{path} could not be written ({error.strerror or error}): choose another place.") from error


def put_text(path: Path, text: str, *, replace: bool) -> None:
    """Write a text file at once (see `in_place_of`), UTF-8."""
    with in_place_of(path, replace=replace) as part:
        part.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file or folder; its name is gone at once, so that nobody finds a half of it.

    Raises
    ------
    OSError
        It may not be removed.
    """
    target = _absolute(path)
    _clear(target)
    with _scratch(target) as scratch:
        target.replace(scratch / "gone")


def is_leftover(name: str) -> bool:
    """Whether a name is that of a folder which something was, or is, put in place from."""
    return name.startswith(_PREFIX)


def _check_free(target: Path, *, replace: bool) -> None:
    """Refuse what came into the way since `check_place` looked, hours ago maybe."""
    if not replace and os.path.lexists(target) and not is_empty_folder(target):
        raise InputError(f"{target} came into being meanwhile, and is kept: choose another name.")


def _put(part: Path, target: Path, aside: Path) -> None:
    if not (part.is_dir() and target.is_dir()):
        part.replace(target)
    elif not exchange(part, target):
        target.replace(aside)
        try:
            part.replace(target)
        except BaseException:
            if not os.path.lexists(target):
                aside.replace(target)
            raise


def _absolute(path: Path) -> Path:
    """Return a path whose last part is a name: "." and ".." have none."""
    return path.parent.resolve() / path.name if path.name not in {"", ".."} else path.resolve()


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside a target, of which others can see that its process lives."""
    # Short, whatever the target's name: that may be as long as names can be.
    lock = None
    while lock is None:
        folder = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        lock = _lock(folder)
    try:
        yield folder
    except BaseException:
        # A library's threads, as zarr's, may be in the middle of a file that it had begun beside the one that failed.
        time.sleep(_SETTLES)
        raise
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _clear(target: Path) -> None:
    """Remove what killed processes left; put back what one had moved aside."""
    if sys.platform == "win32":  # there nobody can tell whether its process lives
        return
    for folder in target.parent.glob(f"{_prefix(target)}*"):
        lock = _lock(folder, to_clear=True)
        if lock is None:
            continue
        if (folder / "old").exists() and not os.path.lexists(target):
            (folder / "old").replace(target)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path, *, to_clear: bool = False) -> int | None:
    """Return the open lock of a scratch folder; None where another process has it, or is removing it.

    A disk that cannot lock has no other process that clears: there a folder is its process's own, and stays.
    """
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        return None
    except OSError:
        if to_clear:
            return None
        folder.rmdir()
        raise
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        taken = False
    except BlockingIOError:
        taken = True
    except OSError:
        taken = to_clear
    # Whoever clears removes the folder while it has the lock.
    if taken or not (folder / "lock").exists():
        os.close(handle)
        return None
    return handle


def _prefix(target: Path) -> str:
    return f"{_PREFIX}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}-"
