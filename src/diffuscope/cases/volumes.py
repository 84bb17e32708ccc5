"""The data report on volumes: what they hold, and mistakes that would otherwise show after hours of training."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from diffuscope.cases.case import Case
from diffuscope.cases.problems import Problem, look_over, several_types, shared_groups
from diffuscope.events import Progress
from diffuscope.files.text_table import number, span, table
from diffuscope.scans import open_volume
from diffuscope.scans.foreground import volume_foreground

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class VolumePart:
    """Size of one part: cases, groups, slices that show anything, and what of them is foreground in cm³."""

    cases: int
    groups: int
    slices: int
    foreground_cm3: float


@dataclass(frozen=True)
class Volumes:
    """The volumes of one key.

    Attributes
    ----------
    files : int
        That could be read.
    types : tuple of str
        Types of voxels; more than one is suspicious.
    in_plane_mm, slices_mm : tuple of float
        Lowest and highest size of a voxel along y and x, and along z.
    values : tuple of float
        Lowest value, lowest 1st and highest 99th percentile of the volume's own foreground, highest value.
    """

    files: int
    types: tuple[str, ...]
    in_plane_mm: tuple[float, float]
    slices_mm: tuple[float, float]
    values: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class VolumeReport:
    """What `volume_report` found.

    Attributes
    ----------
    parts : dict of str to VolumePart
        By name of the part.
    volumes : dict of str to Volumes
        By port key.
    problems : tuple of Problem
        Kinds: ``unreadable``, ``leak``, ``lattice``, ``same``, ``blank``, ``types``, ``odd`` (what a run tells of it).
    """

    parts: dict[str, VolumePart]
    volumes: dict[str, Volumes]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield it as text: two tables and the problems, one sentence each."""
        yield from table(
            ["part", "cases", "groups", "slices shown", "foreground (cm³)"],
            [[name, p.cases, p.groups, p.slices, number(p.foreground_cm3)] for name, p in self.parts.items()],
        )
        yield ""
        yield from table(
            ["volumes", "files", "type", "mm in plane", "mm between slices", "lowest", "1 %", "99 %", "highest"],
            [
                [key, v.files, " or ".join(v.types), span(v.in_plane_mm), span(v.slices_mm), *map(number, v.values)]
                for key, v in self.volumes.items()
            ],
        )
        yield ""
        if not self.problems:
            yield "No problem found. Whether pairs are registered is not looked at in volumes."
        for problem in self.problems:
            yield f"{problem.kind}: {problem.sentence}"


@dataclass(frozen=True)
class _Volume:
    """What was seen of one volume; `digest` is the same for the same voxels, whatever the file's format and order."""

    kind: str
    spacing: Spacing
    values: tuple[float, ...]
    digest: str


@dataclass(frozen=True)
class _Look:
    """What was seen of one case; the foreground is that of its first volume."""

    case: Case
    slices: int
    foreground_cm3: float
    volumes: dict[str, _Volume]
    problems: list[Problem]


def volume_report(parts: Mapping[str, Sequence[Case]]) -> Generator[Progress, None, VolumeReport]:
    """Look a data set of volumes over; every file is read whole, one case at a time.

    Parameters
    ----------
    parts : mapping of str to sequence of Case
        As `diffuscope.cases.split` returns them.

    Yields
    ------
    Progress
        After each case.

    Returns
    -------
    VolumeReport
    """
    looks, problems = yield from look_over(parts, _look)
    problems += [problem for part in looks.values() for look in part for problem in look.problems]
    volumes = _volumes([look for part in looks.values() for look in part])
    problems += several_types({key: found.types for key, found in volumes.items()})
    return VolumeReport(
        parts={part: _part(parts[part], looks[part]) for part in parts},
        volumes=volumes,
        problems=(*shared_groups(parts), *_shared_volumes(looks), *problems),
    )


def _look(case: Case) -> _Look:
    opened = {key: open_volume(path) for key, path in case.files.items()}
    first, main = next(iter(opened.items()))
    problems, seen, slices, size = [], {}, 0, 0.0
    for key, volume in opened.items():
        mask, voxels = volume_foreground([volume], [None]), volume.voxels[:].astype(np.float32)
        problems += [Problem("odd", (case.name,), f"{key} of case {case.name}: {notice}") for notice in volume.notices]
        inside = voxels[mask.at(volume.shape)]
        low, high = np.nanpercentile(inside if inside.size else voxels, [1, 99])
        # Adding 0 makes a plain zero of a negative one.
        values = tuple(float(value) + 0.0 for value in (np.nanmin(voxels), low, high, np.nanmax(voxels)))
        digest = hashlib.blake2b(np.ascontiguousarray(voxels).tobytes(), digest_size=16).hexdigest()
        seen[key] = _Volume(str(volume.dtype), volume.spacing, values, digest)
        if key == first:
            z, y, x = volume.spacing
            slices = int(mask.mask.any(axis=(1, 2)).sum())
            size = float(mask.mask.sum()) * mask.downsample**2 * z * y * x / 1000
        elif not main.lattice.is_same(volume.lattice):
            sentence = (
                f"{key} and {first} of case {case.name} do not lie on one lattice: bring them to the same voxels."
            )
            problems.append(Problem("lattice", (case.name,), sentence))
        elif digest == seen[first].digest:
            sentence = f"{key} and {first} of case {case.name} are one and the same volume: there is nothing to learn."
            problems.append(Problem("same", (case.name,), sentence))
        if values[0] == values[-1]:
            sentence = f"{key} of case {case.name} ({volume.name}) shows nothing but {values[0]:g}."
            problems.append(Problem("blank", (case.name,), sentence))
    return _Look(case, slices, size, seen, problems)


def _shared_volumes(looks: Mapping[str, Sequence[_Look]]) -> list[Problem]:
    """Tell of volumes whose voxels are in two parts, whatever they are called."""
    where: dict[str, tuple[str, str]] = {}
    problems = []
    for part, own in looks.items():
        for look in own:
            for key, volume in look.volumes.items():
                other, name = where.setdefault(volume.digest, (part, look.case.name))
                if other != part:
                    sentence = (
                        f"{key} of case {look.case.name} in {part} and a volume of case {name} in {other} have the "
                        "same voxels: keep one of them."
                    )
                    problems.append(Problem("leak", (name, look.case.name), sentence))
    return problems


def _part(cases: Sequence[Case], looks: Sequence[_Look]) -> VolumePart:
    slices, size = sum(look.slices for look in looks), sum(look.foreground_cm3 for look in looks)
    return VolumePart(len(cases), len({case.group for case in cases}), slices, size)


def _volumes(looks: Sequence[_Look]) -> dict[str, Volumes]:
    found = {}
    for key in dict.fromkeys(key for look in looks for key in look.volumes):
        seen = [look.volumes[key] for look in looks if key in look.volumes]
        plane = [step for volume in seen for step in volume.spacing[1:]]
        between = [volume.spacing[0] for volume in seen]
        lowest, low, high, highest = zip(*(volume.values for volume in seen), strict=True)
        found[key] = Volumes(
            files=len(seen),
            types=tuple(sorted({volume.kind for volume in seen})),
            in_plane_mm=(min(plane), max(plane)),
            slices_mm=(min(between), max(between)),
            values=(min(lowest), min(low), max(high), max(highest)),
        )
    return found
