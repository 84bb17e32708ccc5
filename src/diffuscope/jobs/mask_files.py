"""One file of outlines: labels in an image, or the structures of an RTSTRUCT, and the role of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.jobs.inputs import split_channel
from diffuscope.ports.mask import Mask
from diffuscope.ports.roles import find_role, guess_roles, may_be
from diffuscope.scans import Image, Scan, Volume, open_input
from diffuscope.scans.fingerprint import fingerprint_of
from diffuscope.scans.formats.dicom.rtstruct import is_rtstruct, read_rtstruct, structure_names
from diffuscope.scans.formats.table import stem

# Names that a sentence lists; structure sets have a hundred.
_LISTED = 8


@dataclass(frozen=True, kw_only=True)
class Outlines:
    """What a file has of the roles of a port.

    Attributes
    ----------
    path : Path
        The file.
    labels : ndarray of uint8
        On the grid of the image that it lies on: the number of the role, 0 for none.
    taken : dict of str to str
        Role by what has it: a structure's name, or a label's number.
    about : dict
        What the run record tells of the file.
    spelt : bool
        Whether a command has to say the roles, since they are not those that the labels' numbers say.
    notices : tuple of str
        What a user should know.
    """

    path: Path
    labels: NDArray[np.uint8]
    taken: Mapping[str, str]
    about: Mapping[str, Any]
    spelt: bool = False
    notices: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """The file as a command line names it, without folders."""
        said = ",".join(f"{name}={role}" for name, role in self.taken.items())
        return f"{self.path.name}#{said}" if self.spelt else self.path.name


def read_outlines(given: str | Path | LayerCopy, port: Mask, image: Image, *, alone: bool) -> Outlines:
    """Read a file of outlines.

    Parameters
    ----------
    given : str, Path or LayerCopy
        ``"FILE"``, ``"FILE#NAME=ROLE,NAME=ROLE"``, where a name is a structure's or a label's number, or
        ``"FILE#ROLE"`` of a file with one outline. Without roles those of structures are guessed from their names, the
        numbers of labels are those of the roles, and of one of several files its name tells the role.
    port : Mask
        That it is for.
    image : Image
        On which it lies.
    alone : bool
        Whether it is the port's only file.

    Raises
    ------
    InputError
        It cannot be opened, holds no outlines, does not lie on the image, or the roles cannot be told.
    """
    path, said = split_channel(given)
    opener = partial(open_input, mpp=image.mpp)
    if isinstance(given, LayerCopy):
        return _labels(given.open(opener), None, port, image, alone=alone)
    if path.is_file() and is_rtstruct(path):
        return _structures(path, said, port, image)
    return _labels(opener(path), said, port, image, alone=alone)


def _structures(path: Path, said: str | None, port: Mask, image: Image) -> Outlines:
    if not (isinstance(image, Volume) and image.series):
        raise InputError(
            f"{path.name} was drawn on a DICOM series, and {image.name} is none: give the folder of that series."
        )
    names = structure_names(path)
    chosen = None if said is None else _said(said, names, port, path.name)
    wanted = set(chosen) if chosen is not None else {name for name in names if may_be(name, port.roles)}
    if not wanted:
        raise InputError(
            f"{path.name} has no structure that goes by the name of {_or(port.roles)} (it has {_few(names)}): "
            f"say which is which, {path.name}#{(names or ('NAME',))[0]}={port.roles[0]}."
        )
    found = read_rtstruct(path, image.series, lambda name: name in wanted)
    parts: dict[str, list[tuple[NDArray[np.uint8], int]]] = {}
    for layer, there in found.layers:
        for number, name in there.items():
            parts.setdefault(name, []).append((layer, number))
    drawn = [name for name in dict.fromkeys(names) if name in parts]
    notices = list(found.notices)
    if chosen is None:
        chosen = _guessed(path, drawn, port, notices, lambda name: _size(parts[name]))
    labels = np.zeros(image.series.lattice.shape, np.uint8)
    lost: dict[str, int] = {}
    for role in port.roles:
        for name in (one for one in drawn if chosen.get(one) == role):
            for layer, number in parts[name]:
                inside = layer == number
                lost[name] = lost.get(name, 0) + int(np.count_nonzero(labels[inside]))
                labels[inside & (labels == 0)] = port.roles.index(role) + 1
    taken = {name: chosen[name] for name in drawn if name in chosen}
    notices += [
        f"{count:,} voxels of {name} lie in another structure as well and are taken as that one's."
        for name, count in lost.items()
        if count
    ]
    how = "by their names" if said is None else "as given"
    if taken:
        told = ", ".join(f"{name} is {role}" for name, role in taken.items())
        notices.append(f"{port.name}: {told} ({path.name}, {how}).")
    about = {key: value for key, value in image.to_json().items() if key not in ("series", "forms")}
    return Outlines(
        path=path,
        labels=np.ascontiguousarray(image.storage.show(labels)),
        taken=taken,
        about=about | {"name": path.name, "fingerprint": fingerprint_of([path]), "format": "DICOM RTSTRUCT"},
        spelt=True,
        notices=tuple(notices),
    )


def _size(pieces: Sequence[tuple[NDArray[np.uint8], int]]) -> int:
    return sum(int(np.count_nonzero(layer == number)) for layer, number in pieces)


def _guessed(
    path: Path, names: Sequence[str], port: Mask, notices: list[str], size: Callable[[str], int]
) -> dict[str, str]:
    """Return roles by the names of structures, and tell of those that have none."""
    guess = guess_roles(names, port.roles, size)
    if guess.unclear:
        one, *more = guess.unclear
        raise InputError(
            f"{path.name}: {', '.join(more)} and {one} may each be the {port.roles[0]}: say which is, "
            f"{path.name}#{one}={port.roles[0]}."
        )
    if guess.left:
        notices.append(f"{path.name}: {', '.join(guess.left)} left out: the model takes the largest ones.")
    return guess.roles


def _labels(scan: Scan | Volume, said: str | None, port: Mask, image: Image, *, alone: bool) -> Outlines:
    if scan.axes != image.axes:
        raise InputError(f"{scan.name} is {scan.kind} and {image.name} is {image.kind}: give the outlines of that one.")
    if len(scan.channels) != 1:
        raise InputError(f"{scan.name} has {len(scan.channels)} channels and is no image of labels: give one.")
    if not image.is_on_grid_of(scan):
        raise InputError(
            f"{scan.name} ({scan.size}) does not lie on {image.name} ({image.size})"
            f"{_beside(scan, image)}: give the outlines that were drawn on it."
        )
    stored = whole_numbers(scan)
    # Plane by plane, since it is counted in 64 bits.
    counts = sum(np.bincount(plane.ravel(), minlength=256) for plane in stored)
    there = [int(number) for number in np.flatnonzero(counts) if number]
    names = [str(number) for number in there]
    if said is None and not alone:
        said = _by_name(scan.path, port)
    chosen = _said(said, names, port, scan.name) if said is not None else {}
    if said is None:
        chosen = {str(number): role for number, role in enumerate(port.roles, start=1) if number in there}
        if unknown := [name for name in names if name not in chosen]:
            known = ", ".join(f"{number} for {role}" for number, role in enumerate(port.roles, start=1))
            raise InputError(
                f"{scan.name} has {_labelled(unknown)} without a role; {port.name} takes {known}: number them so, or "
                f"say which is which, {scan.name}#{unknown[0]}={port.roles[0]}."
            )
    table = np.zeros(256, np.uint8)
    for name, role in chosen.items():
        table[int(name)] = port.roles.index(role) + 1
    left = [name for name in names if name not in chosen]
    notices = (f"{scan.name}: {_labelled(left)} left out, as given.",) if left else ()
    return Outlines(
        path=scan.path,
        labels=stored if said is None else table[stored],
        taken=chosen,
        about=scan.to_json(),
        spelt=said is not None,
        notices=(*scan.notices, *notices),
    )


def whole_numbers(scan: Image) -> NDArray[np.uint8]:
    """Return the labels of an image, all of them.

    Raises
    ------
    InputError
        Its values are no labels: fractions, below 0 or above 255.
    """
    ones = (1.0,) * len(scan.shape)
    stored = scan.read((0,) * len(ones), scan.shape, factors=ones, fill=0)[..., 0]
    if stored.dtype.kind == "f" and not np.array_equal(stored, np.trunc(stored)):
        raise InputError(f"{scan.name} holds fractions and no labels: give whole numbers.")
    low, high = stored.min(), stored.max()
    if low < 0 or high > np.iinfo(np.uint8).max:
        raise InputError(
            f"{scan.name} holds values from {low:g} to {high:g}, as images have them, and no labels: give the outlines."
        )
    return stored.astype(np.uint8, copy=False)


def _by_name(path: Path, port: Mask) -> str:
    """Return the role that the name of a file tells."""
    guess = guess_roles([stem(path.name)], port.roles, lambda _: 0)
    role = find_role(stem(path.name), port.roles) or guess.roles.get(stem(path.name))
    if role is None:
        raise InputError(f"which role {path.name} has cannot be told by its name: say {path.name}#{port.roles[0]}.")
    return role


def _said(text: str, names: Sequence[str], port: Mask, file: str) -> dict[str, str]:
    """Return roles by names as they were said."""
    found: dict[str, str] = {}
    for one in text.split(","):
        name, mark, said = one.rpartition("=")
        role = find_role(said, port.roles)
        if role is None:
            raise InputError(f"{file}: there is no role “{said}”: choose among {', '.join(port.roles)}.")
        if not mark and len(names) != 1:
            raise InputError(
                f"{file} has {_few(names)}: say which of them is {role}, {file}#{(names or ('NAME',))[0]}={role}."
            )
        name = name.strip() if mark else names[0]
        if name not in names:
            raise InputError(f"{file} has no “{name}”: it has {_few(names)}.")
        found[name] = role
    return found


def _beside(scan: Image, image: Image) -> str:
    """Tell of volumes that have no place in common."""
    if not (isinstance(scan, Volume) and isinstance(image, Volume)):
        return ""
    low, high = zip(*(_bounds(one) for one in (scan, image)), strict=True)
    return " and nowhere near it" if (np.max(low, axis=0) > np.min(high, axis=0)).any() else ""


def _bounds(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    depth, height, width = volume.shape
    corners = [volume.lattice.place((z, y, x)) for z in (0, depth) for y in (0, height) for x in (0, width)]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def _labelled(names: Sequence[str]) -> str:
    return f"the label{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _or(roles: Sequence[str]) -> str:
    return " or ".join(roles[:2])


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}" if names else "nothing in it"
