"""One writer a folder: who writes into it is told inside it, in a way that also works on disks that machines share.

Nothing here asks a disk for locks, which shared ones often do not have. A folder is held by the folder ``.held`` in it,
with one file, whose name no other process ever gives. It comes into its place by renaming, which only one of several
processes can do; while it holds, its time of change is set again and again. A holder is gone where its process does
not live any more, or, where that cannot be told, where it has given no sign of life for `STALE` seconds. Then its file,
and no other one, is deleted by its name, and whoever renames first is the next holder.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Self

from diffuscope.errors import InputError
from diffuscope.files.holder import Holder
from diffuscope.files.room import full_disk_in_words

#: In a folder that is written.
HELD = ".held"
#: Seconds between signs of life, and after which silence is an end.
BEAT, STALE = 10.0, 120.0
_TRIES = 20


class Claim:
    """What makes this process the one that writes into a folder, until the context ends.

    Parameters
    ----------
    shown : Path
        The folder as messages name it.
    """

    def __init__(self, shown: Path) -> None:
        self._shown, self._token = shown, uuid.uuid4().hex
        # Where the folder is; of one that is made aside, also where it will be.
        self._folders: tuple[Path, ...] = ()
        self._ended = Event()

    def __enter__(self) -> Self:
        """Return itself; nothing is held before `take` or `lay`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        self._ended.set()
        for folder in self._folders:
            with suppress(OSError):
                (folder / HELD / self._token).unlink()
                (folder / HELD).rmdir()

    def take(self, folder: Path) -> Self:
        """Hold a folder that is there.

        Raises
        ------
        InputError
            Another process holds it, named in one sentence; or nothing can be written there.
        """
        try:
            with full_disk_in_words(self._shown):
                self._take(folder)
        except OSError as error:
            raise InputError(f"{self._shown} cannot be written ({error.strerror or error}).") from error
        self._hold(folder)
        return self

    def lay(self, part: Path, target: Path) -> None:
        """Hold a folder of this process's own, made aside, from before it takes its place."""
        self._prepare(part).rename(part / HELD)
        self._hold(part, target)

    def check(self) -> None:
        """See that the folder is still held: a process that was stopped for long may find that another went on.

        Raises
        ------
        InputError
            It is not.
        """
        for folder in self._folders:
            # Opened, not looked at: of a shared disk only that asks again.
            with suppress(OSError):
                os.close(os.open(folder / HELD / self._token, os.O_RDONLY))
                return
        raise InputError(
            f"{self._shown} was removed, or taken over by another process after no sign of life from this one for "
            f"{STALE / 60:g} minutes: nothing more is written."
        )

    @property
    def holds(self) -> bool:
        """Whether `check` passes."""
        with suppress(InputError):
            self.check()
            return True
        return False

    def _take(self, folder: Path) -> None:
        if (folder / HELD).is_symlink():
            raise InputError(
                f"{self._shown} has a link in it, {HELD}, which leads elsewhere: nothing is written there."
            )
        mine = self._prepare(folder)
        try:
            for _ in range(_TRIES):
                # Only an empty folder, or none, gives way: one that is held is not empty.
                with suppress(OSError):
                    (folder / HELD).rmdir()
                with suppress(OSError):
                    mine.rename(folder / HELD)
                    _clear(folder)
                    return
                _refuse_held(folder, self._shown, now=_touched(mine / self._token))
        finally:
            shutil.rmtree(mine, ignore_errors=True)
        raise InputError(
            f"{self._shown} cannot be held for writing: see that nothing of yours lies in {folder / HELD}."
        )

    def _prepare(self, folder: Path) -> Path:
        mine = folder / f"{HELD}-{self._token}"
        mine.mkdir()
        Holder.this().write(mine / self._token)
        return mine

    def _hold(self, *folders: Path) -> None:
        self._folders = folders
        Thread(target=self._beat, name="diffuscope-held", daemon=True).start()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            for folder in self._folders:
                with suppress(OSError):
                    os.utime(folder / HELD / self._token)


def check_free(folder: Path) -> None:
    """Refuse a folder that a living process writes; nothing is written here.

    Raises
    ------
    InputError
        Names who, and since when.
    """
    for file in _files(folder / HELD):
        if not _is_stale(file, time.time()):
            raise _held(folder, file)


def is_claim(name: str) -> bool:
    """Whether a name is that of what tells who writes a folder."""
    return name == HELD or name.startswith(f"{HELD}-")


def _refuse_held(folder: Path, shown: Path, *, now: float) -> None:
    """Delete what a holder that is gone left; raise where one lives."""
    for file in _files(folder / HELD):
        if not _is_stale(file, now):
            raise _held(shown, file)
        file.unlink(missing_ok=True)


def _held(shown: Path, file: Path) -> InputError:
    holder = Holder.read(file)
    unsure = "" if holder.lives else f", or {STALE / 60:g} minutes if it is gone"
    return InputError(f"{shown} is being written by {holder}: wait for its end{unsure}, or choose another name.")


def _is_stale(file: Path, now: float) -> bool:
    lives = Holder.read(file).lives
    if lives is not None:
        return not lives
    try:
        silent = now - file.stat().st_mtime
    except FileNotFoundError:
        return True
    # From the future comes what a stranger packed, and no sign of life.
    return abs(silent) > STALE


def _touched(file: Path) -> float:
    """Return the time now by the clock of a file's disk, which is that of all signs of life on it."""
    os.utime(file)
    return file.stat().st_mtime


def _clear(folder: Path) -> None:
    """Remove what processes left that were killed while they tried to hold a folder."""
    for mine in folder.glob(f"{HELD}-*"):
        files = _files(mine)
        if not mine.is_symlink() and all(_is_stale(file, time.time()) for file in files) and (files or _is_old(mine)):
            shutil.rmtree(mine, ignore_errors=True)


def _is_old(folder: Path) -> bool:
    with suppress(OSError):
        return time.time() - folder.stat().st_mtime > STALE
    return False


def _files(folder: Path) -> list[Path]:
    """Return the files in a folder; links and what else might lie there are none of ours."""
    with suppress(OSError):
        if not folder.is_symlink():
            return [file for file in folder.iterdir() if file.is_file() and not file.is_symlink()]
    return []
