"""Files that are on disk, not only on their way there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def to_disk(path: Path) -> None:
    """Wait until a file that was written, and its name, are on disk; a chunk of only the fill value has no file."""
    for place in (path, path.parent):
        # Windows opens no folders; there the name is written with the file.
        with suppress(FileNotFoundError, PermissionError):
            content_to_disk(place)


def names_to_disk(folder: Path) -> None:
    """Wait until the names in a folder are on disk; for several files of one folder once is enough."""
    with suppress(FileNotFoundError, PermissionError):
        content_to_disk(folder)


def content_to_disk(path: Path) -> None:
    """Wait until the content of a file, or of a folder, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
