"""What an export asks before it writes, and how it puts the finished thing in place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.results.layout import group_path
from diffuscope.results.result import is_result

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


def choose_ports(result: Result, layer: str) -> tuple[Raster, ...]:
    """Return the output ports that `layer` (a key, a name or ``"all"``) means."""
    if layer == "all":
        return result.ports
    # Keys are unique; a name might be another port's key.
    for chosen in ([p for p in result.ports if p.key == layer], [p for p in result.ports if p.name == layer]):
        if chosen:
            return (chosen[0],)
    there = ", ".join(port.key for port in result.ports)
    raise InputError(f'{result.path.name} has no layer "{layer}": choose one of {there}, or all.')


def check_complete(result: Result, *, allow_incomplete: bool) -> None:
    """Refuse a result whose run did not end."""
    if not result.complete and not allow_incomplete:
        raise InputError(
            f"{result.path.name} is incomplete ({result.done} of {result.tiles} tiles) and is not exported: "
            "run it to the end first."
        )


def check_target(result: Result, path: Path, endings: tuple[str, ...], *, overwrite: bool, folder: bool) -> None:
    """Refuse a place that cannot be written or that holds what an export must not replace.

    Parameters
    ----------
    result : Result
        What is exported.
    path : Path
        Where to.
    endings : tuple of str
        Endings of the format, lower case.
    overwrite : bool
        Whether something of the same kind may be replaced.
    folder : bool
        Whether the format is a folder.
    """
    if not path.name.lower().endswith(endings):
        raise InputError(f"{path.name} does not end as this format does: end it with {' or '.join(endings)}.")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {parent}; make it first.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{path} cannot be written: nothing may be written into {parent}; choose another place.")
    source, target = result.path.resolve(), path.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise InputError(f"{path} is the result itself or lies in it: choose another place to export it to.")
    if path.exists() or path.is_symlink():
        if not overwrite:
            raise InputError(f"{path} exists already: choose another name, or say --overwrite.")
        replaceable = path.is_dir() and is_result(path) if folder else path.is_file()
        if path.is_symlink() or not replaceable:
            raise InputError(f"{path} is something else and is never overwritten: choose another name.")


def stored_bytes(result: Result, ports: tuple[Raster, ...]) -> int:
    """Return how many bytes the pyramids of some ports take on disk."""
    files = (
        Path(folder) / name
        for port in ports
        for level in range(len(result.images[port.key]))
        for folder, _, names in os.walk(result.path / group_path(result.ports, port.key) / str(level))
        for name in names
    )
    return sum(file.stat().st_size for file in files)


def check_room(path: Path, need: int) -> None:
    """Refuse an export that the disk is not likely to have room for."""
    parent = path.absolute().parent
    free = shutil.disk_usage(parent).free
    if need > free:
        raise InputError(
            f"{path} needs about {need / 1e9:.2g} GB, but {free / 1e9:.2g} GB are free in {parent}: "
            "make room or choose another disk."
        )


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place at the end, or vanishes on failure.

    Yields
    ------
    Path
        A name that does not exist yet, in a hidden folder of its own on the same disk.

    Raises
    ------
    InputError
        Writing failed: no room, no right, a disk that went away.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=path.absolute().parent) as scratch:
            part = Path(scratch) / path.name
            yield part
            if part.is_dir() and path.exists():
                # A folder cannot be replaced in one step: the old one steps aside and goes with the scratch folder.
                aside = Path(scratch) / "replaced"
                path.replace(aside)
                try:
                    part.replace(path)
                except OSError:
                    aside.replace(path)
                    raise
            else:
                part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror or error}): make room or choose another place."
        ) from error
