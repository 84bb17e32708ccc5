"""Something put in place at once: whoever looks, and whatever ends meanwhile, finds the old thing or the new one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.files.claim import Claim
from diffuscope.files.durable import names_to_disk, tree_to_disk
from diffuscope.files.linux import exchange
from diffuscope.files.place import is_empty_folder
from diffuscope.files.room import full_disk_in_words

_PREFIX = ".part-"
# Seconds in which threads of a library that failed end what they had begun.
_SETTLES = 0.1


@contextmanager
def in_place_of(path: Path, *, replace: bool, claim: Claim | None = None) -> Iterator[Path]:
    """Give a temporary path on the same disk, which takes the place of `path` at the end, or vanishes on failure.

    It is on disk before it counts, and the name is when this ends. What a killed process left under way to the same
    name is cleared first. A folder in the way is exchanged for the new one in one step, on Linux; elsewhere it steps
    aside, and comes back where the process is killed just then and this is called again. One that another process
    writes is not replaced.

    Parameters
    ----------
    path : Path
        File or folder to write; folders above it are made.
    replace : bool
        Whether something may lie there (see `diffuscope.files.place.check_place`), which goes once the new one is in
        its place.
    claim : Claim, optional
        What is to hold the new folder once it is in its place, where this process goes on to write into it.

    Yields
    ------
    Path
        Of the same name, in a hidden folder of its own; does not exist yet.

    Raises
    ------
    InputError
        Writing failed: no room, no right, a disk that went away; something came into the way meanwhile; or another
        process writes what is in the way.
    """
    target = _absolute(path)
    try:
        with full_disk_in_words(path), Claim(path) as old:
            target.parent.mkdir(parents=True, exist_ok=True)
            _clear(target)
            _check_free(target, replace=replace)
            _hold_old(old, target, replace=replace)
            with _scratch(target) as scratch:
                part = scratch / "new" / target.name
                part.parent.mkdir()
                yield part
                if claim is not None:
                    claim.lay(part, target)
                tree_to_disk(part)
                _check_free(target, replace=replace)
                if not old.holds:
                    _hold_old(old, target, replace=replace)
                _put(part, target, scratch / "old", replace=replace)
                names_to_disk(target.parent)
    except OSError as error:
        raise InputError(f"{path} could not be written ({error.strerror or error}): choose another place.") from error


def put_text(path: Path, text: str, *, replace: bool) -> None:
    """Write a text file at once (see `in_place_of`), UTF-8."""
    with in_place_of(path, replace=replace) as part:
        part.write_text(text, encoding="utf-8")


def clear(path: Path) -> None:
    """Remove what killed processes left that were under way to a name; put back what one had moved aside.

    Raises
    ------
    OSError
        The disk does not let it be.
    """
    _clear(_absolute(path))


def remove(path: Path, claim: Claim | None = None) -> None:
    """Remove a file or folder; its name is gone at once, so that nobody finds a half of it.

    Parameters
    ----------
    path : Path
        What goes.
    claim : Claim, optional
        This process's, of a folder that it holds; where it does not hold it any more nothing is removed.

    Raises
    ------
    InputError
        Another process writes it.
    OSError
        It may not be removed.
    """
    target = _absolute(path)
    _clear(target)
    with Claim(path) as own:
        if claim is not None:
            claim.check()
        else:
            _hold_old(own, target, replace=True)
        with _scratch(target) as scratch:
            target.replace(scratch / "gone")


def is_leftover(name: str) -> bool:
    """Whether a name is that of a folder which something was, or is, put in place from."""
    return name.startswith(_PREFIX)


def _check_free(target: Path, *, replace: bool) -> None:
    """Refuse what came into the way since `check_place` looked, hours ago maybe."""
    if not replace and os.path.lexists(target) and not is_empty_folder(target):
        raise InputError(f"{target} came into being meanwhile, and is kept: choose another name.")


def _hold_old(claim: Claim, target: Path, *, replace: bool) -> None:
    """Hold the folder that is to give way, so that nobody goes on with it, or replaces it as well."""
    if replace and target.is_dir() and not target.is_symlink():
        claim.take(target)


def _put(part: Path, target: Path, aside: Path, *, replace: bool) -> None:
    if not replace:
        _put_new(part, target)
    elif not (part.is_dir() and target.is_dir()):
        part.replace(target)
    elif not exchange(part, target):
        target.replace(aside)
        try:
            part.replace(target)
        except BaseException:
            if not os.path.lexists(target):
                aside.replace(target)
            raise


def _put_new(part: Path, target: Path) -> None:
    """Put something where nothing is; of two processes that do so at once only one can."""
    try:
        if part.is_dir():
            # A folder does not take the place of one that is not empty. Windows: not even of an empty one.
            with suppress(OSError):
                target.rmdir()
            part.rename(target)
            return
        with suppress(OSError):
            os.link(part, target)
            return
        if not os.path.lexists(target):  # a disk without links
            part.replace(target)
            return
    except OSError:
        if not os.path.lexists(target):
            raise
    raise InputError(f"{target} came into being meanwhile, and is kept: choose another name.")


def _absolute(path: Path) -> Path:
    """Return a path whose last part is a name: "." and ".." have none."""
    return path.parent.resolve() / path.name if path.name not in {"", ".."} else path.resolve()


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside a target, of which others can see that its process lives."""
    while True:
        # Short, whatever the target's name: that may be as long as names can be.
        folder = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        with Claim(target) as claim:
            # Before it was held another process may have taken it for a leftover.
            try:
                claim.take(folder)
            except InputError:
                if folder.exists():
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
                continue
            try:
                yield folder
            except BaseException:
                # A library's threads, as zarr's, may be in the middle of a file that it had begun beside the one that
                # failed.
                time.sleep(_SETTLES)
                raise
            finally:
                _discard(folder)
            return


def _clear(target: Path) -> None:
    """Remove what killed processes left; put back what one had moved aside."""
    for folder in target.parent.glob(f"{_prefix(target)}*"):
        with Claim(folder) as claim:
            try:
                claim.take(folder)
            except InputError:
                continue  # its process lives, or removes it just now
            if os.path.lexists(folder / "old") and not os.path.lexists(target):
                (folder / "old").replace(target)
            _discard(folder)


def _discard(folder: Path) -> None:
    """Remove a scratch folder; what had stepped aside is never put back once a part of it is gone."""
    with suppress(OSError):
        (folder / "old").rename(folder / "gone")
    shutil.rmtree(folder, ignore_errors=True)


def _prefix(target: Path) -> str:
    return f"{_PREFIX}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}-"
