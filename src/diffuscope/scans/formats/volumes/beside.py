"""Files that a header names: they lie in its folder, or below it, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from diffuscope.errors import InputError

# The number in a pattern of names, as C writes it.
_NUMBER = re.compile(r"%(0?\d{0,2})d")


def file_beside(header: Path, name: str) -> Path:
    """Return the file that a header names.

    A stranger's header may name anything: what lies outside its folder is not read, not by a path that leads out, and
    not through a link.

    Raises
    ------
    InputError
        It is not there, or not in the header's folder.
    """
    # realpath, other than resolve, takes links that lead round in a circle; a name with a zero byte is nobody's.
    folder = os.path.realpath(header.parent)
    real = os.path.realpath(os.path.join(folder, name.replace("\0", "?")))  # noqa: PTH118
    if not Path(real).is_relative_to(folder):
        raise InputError(
            f"{header.name} says that its voxels lie in {shown(name)}, outside its own folder, where nothing is read: "
            "copy both files into one folder and let it name the other without a path."
        )
    if not os.path.isfile(real):  # noqa: PTH113  takes any name, however long
        raise InputError(
            f"{header.name} says that its voxels lie in {shown(name)}, and there is no such file: copy it there."
        )
    return Path(real)


def files_of_pattern(header: Path, pattern: str, numbers: Sequence[str], most: int) -> list[Path]:
    """Return the files of a pattern with a number in it, such as ``slice%03d.raw``.

    Parameters
    ----------
    header : Path
        That names them.
    pattern : str
        With one number as C writes it.
    numbers : sequence of str
        The first, the last (which is one of them), and the step.
    most : int
        Slices of the volume: there are no more files.

    Raises
    ------
    InputError
        It is none, or one of the files is not there.
    """
    try:
        first, last, step = (int(one) for one in numbers)
        count = (last - first) // step + 1
    except (ValueError, ZeroDivisionError):
        count = 0
    if len(_NUMBER.findall(pattern)) != 1 or pattern.count("%") != 1 or not 1 <= count <= most:
        raise InputError(
            f"{header.name} says that its voxels lie in {shown(pattern)} from {shown(' to '.join(numbers))}, which "
            f"names no files of {most} slices: its header is damaged."
        )
    return [file_beside(header, pattern % number) for number in range(first, first + count * step, step)]


def shown(text: str) -> str:
    """Return what a header says as a message may show it: no control characters, and not longer than a line."""
    clean = "".join(one if one.isprintable() else "?" for one in text)
    return f"“{clean[:60]}{'…' if len(clean) > 60 else ''}”"
