"""A QuPath project: which slides it holds, where they lie now, and what it says of their px.

Objects of a project are in its ``data`` folder as Java wrote them (``data.qpdata``), which is not read, since whatever
reads such a file may be made to run it: in QuPath, *File → Export objects as GeoJSON* writes them as what is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlsplit

from diffuscope.errors import InputError
from diffuscope.files.read import is_file, read_json

#: Ending of the files.
QPPROJ = ".qpproj"
OBJECTS_NOT_READ = (
    "Objects of a QuPath project are stored as Java objects (data.qpdata) and are not read: export them from QuPath "
    "as GeoJSON."
)
_UNITS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1000.0, "nm": 0.001}
# Of what a builder wraps, as a crop or a rotation; nobody nests so deep.
_DEPTH = 20


@dataclass(frozen=True, kw_only=True)
class ProjectImage:
    """An image of a project.

    Attributes
    ----------
    name : str
        As QuPath lists it.
    path : Path or None
        Its file; where the project was moved, and the file with it, where that is now. None where it is no file of a
        disk (an address of the net), or made of several.
    uri : str
        As the project has it.
    mpp : float or None
        µm per px, where the project says it and px are square.
    shape : tuple of int or None
        (height, width) of the finest level of what is opened of its file, which may hold several images, where the
        project says it.
    changed : str
        What QuPath does to the image before it shows it, in its words, as ``"rotated"``: then its objects do not lie
        on the file. Empty where it shows the file.
    has_objects : bool
        Whether objects were saved (see `OBJECTS_NOT_READ`).
    """

    name: str
    path: Path | None
    uri: str
    mpp: float | None
    shape: tuple[int, int] | None
    changed: str
    has_objects: bool

    @property
    def is_there(self) -> bool:
        """Whether its file can be found."""
        return self.path is not None and is_file(self.path)


@dataclass(frozen=True, kw_only=True)
class Project:
    """A QuPath project: its file, and its images as it lists them."""

    path: Path
    images: tuple[ProjectImage, ...]


def read_project(path: str | Path) -> Project:
    """Read a QuPath project (0.2 to 0.8).

    Parameters
    ----------
    path : str or Path
        The ``….qpproj`` file, or the folder that has one.

    Raises
    ------
    InputError
        There is none, or it is damaged.
    """
    file = _file(Path(path))
    try:
        read = read_json(file)
    except FileNotFoundError as error:
        raise InputError(f"{file} does not exist: give the .qpproj file of a QuPath project.") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): give the .qpproj file of a project.") from error
    except ValueError as error:
        raise InputError(f"{file.name} is not a QuPath project ({error}): {_AGAIN}.") from error
    images = read.get("images") if isinstance(read, Mapping) else None
    if not isinstance(images, list):
        raise InputError(f"{file.name} lists no images and is not a QuPath project: {_AGAIN}.")
    found = (_image(file, number, one, read.get("uri")) for number, one in enumerate(images, start=1))
    return Project(path=file, images=tuple(found))


_AGAIN = "open it in QuPath and save it again, or give its backup (….qpproj.backup)"


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    there = sorted(path.glob(f"*{QPPROJ}"))
    if len(there) != 1:
        what = "no .qpproj file" if not there else f"{len(there)} .qpproj files"
        raise InputError(f"{path} holds {what}: give the .qpproj file of a QuPath project.")
    return there[0]


def _image(file: Path, number: int, told: Any, before: Any) -> ProjectImage:
    builder = told.get("serverBuilder") if isinstance(told, Mapping) else None
    if not isinstance(builder, Mapping):
        raise InputError(f"image {number} of {file.name} does not say where it lies: {_AGAIN}.")
    chain = list(_chain(builder))
    own: Mapping[str, Any] = next((one for one in chain if isinstance(one.get("uri"), str)), {})
    uri = str(own.get("uri", ""))
    about: Mapping[str, Any] = next((one["metadata"] for one in chain if isinstance(one.get("metadata"), Mapping)), {})
    path = _located(uri, before if isinstance(before, str) else "", file)
    kinds = [str(one.get("builderType")) for one in chain if one.get("builderType") not in (None, "uri", "pyramidize")]
    return ProjectImage(
        name=str(told.get("imageName") or (path.name if path is not None else uri) or f"image {number}"),
        path=path,
        uri=uri,
        mpp=_mpp(about.get("pixelCalibration")),
        shape=_shape(own.get("metadata")),
        changed=", ".join(kinds),
        has_objects=is_file(file.parent / "data" / str(told.get("entryID")) / "data.qpdata"),
    )


def _chain(builder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a builder, and what it wraps."""
    one: Any = builder
    for _ in range(_DEPTH):
        if not isinstance(one, Mapping):
            return
        yield one
        one = one.get("builder")


def _located(uri: str, before: str, file: Path) -> Path | None:
    """Return where a file lies now: where the project says, else where it lay beside the project before both moved."""
    stated = path_of(uri)
    if stated is None:
        return None
    if not stated.is_absolute():
        return file.parent / Path(*stated.parts)
    here = Path(*stated.parts) if isinstance(stated, PurePosixPath) else Path(str(stated))
    if is_file(here):
        return here
    project = path_of(before)
    if project is None or type(project) is not type(stated) or not project.is_absolute():
        return here
    steps = _steps(project.parent, stated)
    moved = file.parent.joinpath(*steps) if steps is not None else here
    return moved if is_file(moved) else here


def _steps(start: PurePath, end: PurePath) -> list[str] | None:
    """Return the way from a folder to a file, or None where they have nothing in common."""
    common = 0
    for one, other in zip(start.parts, end.parts, strict=False):
        if one != other:
            break
        common += 1
    if common == 0:
        return None
    return [".."] * (len(start.parts) - common) + list(end.parts[common:])


def path_of(uri: str) -> PurePath | None:
    """Return the path of a URI or of a plain path, of either family of systems; None where it is neither."""
    if PureWindowsPath(uri).drive and "://" not in uri and not uri.startswith("file:"):
        return PureWindowsPath(uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme not in {"", "file"} or not parts.path or "\0" in unquote(parts.path):
        return None
    path = unquote(parts.path) if parts.scheme else uri
    if parts.scheme and parts.netloc and parts.netloc != "localhost":
        return PureWindowsPath(f"//{parts.netloc}{path}")
    if PureWindowsPath(path.lstrip("/")).drive:
        return PureWindowsPath(path.lstrip("/"))
    return PurePosixPath(path)


def _mpp(told: Any) -> float | None:
    """Return µm per px of QuPath's calibration; None where it is not told, in px, or not square."""
    found = [_um(told.get(side)) for side in ("pixelWidth", "pixelHeight")] if isinstance(told, Mapping) else []
    if len(found) != 2 or None in found:
        return None
    width, height = (float(one) for one in found if one is not None)
    return (width + height) / 2 if math.isclose(width, height, rel_tol=0.01) else None


def _um(told: Any) -> float | None:
    if not isinstance(told, Mapping) or type(told.get("value")) not in (int, float):
        return None
    value = float(told["value"]) * _UNITS.get(str(told.get("unit")), math.nan)
    return value if math.isfinite(value) and value > 0 else None


def _shape(told: Any) -> tuple[int, int] | None:
    height, width = (told.get("height"), told.get("width")) if isinstance(told, Mapping) else (None, None)
    if type(height) is int and type(width) is int and height > 0 and width > 0:
        return height, width
    return None
