"""Labels that a run is given beside its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.jobs.inputs import PortInput, split_channel
from diffuscope.jobs.mask_files import Outlines, read_outlines
from diffuscope.ports.mask import Mask
from diffuscope.scans.fingerprint import fingerprint_of

#: A file of labels or an RTSTRUCT, ``"FILE#NAME=ROLE,…"`` (see `diffuscope.jobs.mask_files.read_outlines`), or several.
GivenMask = str | Path | Sequence[str | Path]
#: That, or what layers outline.
AnyMask = GivenMask | LayerCopy


@dataclass(frozen=True, eq=False)
class MaskInput:
    """Labels at a port.

    Attributes
    ----------
    port : Mask
        Which.
    labels : ndarray of uint8
        The number of the role from 1, 0 for none, on the grid of the image.
    files : tuple of Outlines
        Where they come from.
    notices : tuple of str
        What a user should know of them, one sentence each.
    """

    port: Mask
    labels: NDArray[np.uint8]
    files: tuple[Outlines, ...]
    notices: tuple[str, ...]

    @property
    def outlined(self) -> tuple[str, ...]:
        """Roles that something has."""
        there = np.bincount(self.labels.ravel(), minlength=len(self.port.roles) + 1)
        return tuple(role for number, role in enumerate(self.port.roles, start=1) if there[number])

    def read(self, shape: Sequence[int], factors: Sequence[float]) -> NDArray[np.uint8]:
        """Return the labels on a grid of `factors` px each, of each place that of the nearest px."""
        if self.labels.shape == tuple(shape) and all(factor == 1.0 for factor in factors):
            return self.labels
        nearest = (
            np.minimum(((np.arange(length) + 0.5) * factor).astype(np.int64), extent - 1)
            for length, factor, extent in zip(shape, factors, self.labels.shape, strict=True)
        )
        return self.labels[np.ix_(*nearest)]

    def to_json(self) -> dict[str, Any]:
        """Return what the run record tells of it."""
        about = dict(self.files[0].about)
        if len(self.files) > 1:
            about["name"] = ", ".join(one.path.name for one in self.files)
            about["fingerprint"] = fingerprint_of([one.path for one in self.files])
        spelt = any(one.spelt for one in self.files)
        taken = {f"{one.path.name}#{name}": role for one in self.files for name, role in one.taken.items()}
        return {**about, "roles": list(self.port.roles), **({"taken": taken} if spelt else {})}

    @property
    def flags(self) -> list[tuple[str, str]]:
        """How a command line gives it again."""
        return [("input", f"{self.port.key}={one.text}") for one in self.files]


def mask_paths(given: Mapping[str, AnyMask]) -> list[Path]:
    """Return the files that labels come from."""
    return [split_channel(one)[0] for files in given.values() for one in _several(files)]


def open_masks(given: Mapping[str, AnyMask], ports: Sequence[Mask], images: Sequence[PortInput]) -> list[MaskInput]:
    """Open labels, which lie on the lattices of their images.

    Parameters
    ----------
    given : mapping of str to str, Path or sequence
        A file, or several, by port key.
    ports : sequence of Mask
        Those that were given.
    images : sequence of PortInput
        Opened.

    Raises
    ------
    InputError
        As `read_outlines`; the image is not given, nothing is outlined, or two files have one role.
    """
    by_key = {one.port.key: one for one in images}
    return [_open(_several(given[port.key]), port, by_key) for port in ports]


def _open(given: Sequence[str | Path | LayerCopy], port: Mask, images: Mapping[str, PortInput]) -> MaskInput:
    if port.on not in images:
        raise InputError(f"{port.name} ({port.key}) lies on {port.on}, which is not given: give it as well.")
    image = images[port.on].scan
    files = tuple(read_outlines(one, port, image, alone=len(given) == 1) for one in given)
    labels, notices = files[0].labels, list(files[0].notices)
    for number, one in enumerate(files[1:], start=1):
        earlier = {role: before.path.name for before in files[:number] for role in before.taken.values()}
        if twice := [role for role in one.taken.values() if role in earlier]:
            raise InputError(f"{earlier[twice[0]]} and {one.path.name} both have the {twice[0]}: leave one out.")
        both = (labels > 0) & (one.labels > 0)
        if both.any():
            notices.append(f"{np.count_nonzero(both):,} voxels of {one.path.name} are taken as an earlier file's.")
        labels = np.where(labels > 0, labels, one.labels)
        notices += one.notices
    if not labels.any():
        names = " and ".join(str(one.about["name"]) for one in files)
        raise InputError(f"nothing is outlined in {names}: give outlines of {', '.join(port.roles)}, or leave it out.")
    return MaskInput(port, labels, files, tuple(notices))


def _several(given: AnyMask) -> Sequence[str | Path | LayerCopy]:
    return [given] if isinstance(given, str | Path | LayerCopy) else list(given)
