"""What a kind of hostile file is: how a valid one is made, and how it is opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """Something that comes from others.

    Attributes
    ----------
    make : callable
        Writes a valid one into a folder, and returns it.
    open : callable
        Opens it, and reads a piece of it.
    writes : str
        Name of the file or folder that opening it may write, or write into; empty: nothing.
    """

    make: Callable[[Path], Path]
    open: Callable[[Path], object]
    writes: str = ""


def copy_sample(made: Path, folder: Path) -> Path:
    """Copy a valid one into a folder, to be mutated there."""
    target = folder / made.name
    if made.is_dir():
        shutil.copytree(made, target)
    else:
        shutil.copyfile(made, target)
    return target
