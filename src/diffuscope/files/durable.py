"""Files that are on disk, not only on their way there, and that take their place at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from diffuscope.files.linux import sync_disk

# Waited for one by one; where there are more, as in a pyramid, for the whole disk at once.
_FEW = 500


@contextmanager
def replacing(file: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `file` at the end, or vanishes on failure.

    For files inside a folder of ours that one process writes: the temporary name is always the same, so that what a
    killed process left is overwritten. What a user names is for `diffuscope.files.put.in_place_of`.

    Parameters
    ----------
    file : Path
        In a folder that exists.
    sync : bool
        Whether the content is on disk before it counts; the name may still be on its way (see `names_to_disk`).

    Raises
    ------
    OSError
        The disk is full; `file` is what it was.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as opened:
            yield opened
            if sync:
                opened.flush()
                os.fsync(opened.fileno())
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def names_to_disk(folder: Path) -> None:
    """Wait until the names in a folder are on disk; for several files of one folder once is enough."""
    # Windows opens no folders; there a name is written with its file.
    with suppress(FileNotFoundError, PermissionError):
        content_to_disk(folder)


def content_to_disk(path: Path) -> None:
    """Wait until the content of a file, or of a folder, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tree_to_disk(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on disk."""
    if not path.is_dir():
        content_to_disk(path)
        return
    folders = [(Path(folder), names) for folder, _, names in os.walk(path)]
    if sum(len(names) for _, names in folders) > _FEW and sync_disk(path):
        return
    for folder, names in folders:
        for name in names:
            content_to_disk(folder / name)
        names_to_disk(folder)
