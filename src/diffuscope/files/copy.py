"""Folders copied, up to the first thing that goes wrong."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with all that is in it, content only.

    Of a disk that is full it says so at once: `shutil.copytree` goes on with every other file, and then raises a list.

    Parameters
    ----------
    source, target : Path
        A folder, and one that is made.

    Raises
    ------
    OSError
        A file cannot be read or written.
    """
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True)
        for name in names:
            shutil.copyfile(Path(folder) / name, place / name)
