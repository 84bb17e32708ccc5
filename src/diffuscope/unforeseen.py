"""What nobody foresaw, as one sentence for the user and a report for whoever mends it.

A report holds nothing of the user's: no message of an error (they name files and hold values), no path, no name. It
says which errors, where in our own code, in which libraries, and on what kind of machine.
"""

from __future__ import annotations

import errno
import platform
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from diffuscope.errors import DiffuscopeError
from diffuscope.version import __version__

_OTHER = "(other code)"
_HERE = Path(__file__).parent
_LIBRARIES = (
    *(
        "torch",
        "numpy",
        "zarr",
        "numcodecs",
        "dask",
        "distributed",
        "tifffile",
        "imagecodecs",
        "pillow",
        "scikit-image",
    ),
    *("scipy", "SimpleITK", "pydicom", "pydantic", "typer", "pytorch-lightning", "napari", "PySide6", "PyQt6"),
)
# Of a chain of errors, and of our frames in each: the last ones tell.
_CHAIN, _FRAMES = 5, 30


@dataclass(frozen=True)
class Unforeseen:
    """An error that nobody foresaw.

    Attributes
    ----------
    what : str
        Its kind, e.g. ``"ZeroDivisionError in scans/open.py"``, to be told in a sentence.
    report : str
        For whoever mends it; holds nothing of the user's.
    """

    what: str
    report: str

    @property
    def sentence(self) -> str:
        """For the user, without the way to the report."""
        return f"something went wrong that nobody foresaw ({self.what})"


def unforeseen(error: BaseException, doing: str = "") -> Unforeseen:
    """Describe an error.

    Parameters
    ----------
    error : BaseException
        With its traceback.
    doing : str
        A verb of ours, e.g. ``"info"``; never what a user wrote.
    """
    chain = list(_chain(error))
    own = next((place for one in chain for place in reversed(_places(one)) if place.startswith("diffuscope/")), "")
    place = f" in {own.partition(':')[0].removeprefix('diffuscope/')}" if own else ""
    lines = [
        f"Diffuscope {__version__}{f', {doing}' if doing else ''}",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        ", ".join(_versions()),
    ]
    for one in chain:
        lines += ["", _kind(one), *(f"  {place}" for place in _places(one)[-_FRAMES:])]
    return Unforeseen(f"{type(error).__name__}{place}", "\n".join(lines) + "\n")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    one: BaseException | None = error
    for _ in range(_CHAIN):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _kind(error: BaseException) -> str:
    """Return an error's class; of one of the system its number, too."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}" if _is_public(kind.__module__) else kind.__qualname__
    if isinstance(error, DiffuscopeError):
        return f"{name} (told as a sentence)"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} ({errno.errorcode.get(error.errno, error.errno)})"
    return name


def _is_public(module: str) -> bool:
    """Whether a module is ours or a library's: a user's own may have any name."""
    file = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    return file is not None and (Path(file).is_relative_to(_HERE) or _library(Path(file)) != _OTHER)


def _places(error: BaseException) -> list[str]:
    """Return where an error went through: our lines, and runs of frames elsewhere by their library's name."""
    places: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if file.is_relative_to(_HERE):
            places.append(f"diffuscope/{file.relative_to(_HERE).as_posix()}:{frame.lineno} {frame.name}")
        elif not places or places[-1] != _library(file):
            places.append(_library(file))
    return places


def _library(file: Path) -> str:
    """Return the name of the library that a file belongs to."""
    for kind in ("purelib", "platlib"):
        root = Path(sysconfig.get_path(kind))
        if file.is_relative_to(root):
            return f"({file.relative_to(root).parts[0].removesuffix('.py')})"
    return "(Python)" if file.is_relative_to(sysconfig.get_path("stdlib")) else _OTHER


def _versions() -> Iterator[str]:
    for name in _LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
