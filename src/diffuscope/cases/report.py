"""The data report: what a data set holds, and mistakes that would otherwise show after hours of training."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.case import Case
from diffuscope.cases.likeness import hashes
from diffuscope.cases.opened import OpenCase, open_case
from diffuscope.cases.problems import Problem, Seen, look_over, several_types, shared_groups, shared_pictures
from diffuscope.cases.shift import find_shift, structure
from diffuscope.cases.tissue import tissue_corners
from diffuscope.events import Progress
from diffuscope.files.text_table import number, span, table
from diffuscope.scans import tissue_mask

SHIFT_LIMIT_UM = 3.0
"""Shift above which a pair is called misregistered, µm: about half a lymphocyte's nucleus."""

# What a shift must add to the correlation to be believed.
_BETTER = 0.02
# Side of the window of a case that is looked at closely, px of the model.
_WINDOW = 1024


@dataclass(frozen=True)
class Part:
    """Size of one part; the area is None where µm/px are not known."""

    cases: int
    groups: int
    tissue_mm2: float | None


@dataclass(frozen=True)
class Pictures:
    """The pictures of one key.

    Attributes
    ----------
    files : int
        That could be read.
    types : tuple of str
        Pixel types and channels, e.g. ``"uint8 × 3"``; more than one is suspicious.
    stated_mpp : tuple of float or None
        Lowest and highest µm/px that files state.
    assumed : int
        Files that do not state their µm/px.
    values : tuple of float
        Lowest value, lowest 1st and highest 99th percentile, highest value, of a window of up to 1024 px a picture;
        of a mask the part that is inside.
    """

    files: int
    types: tuple[str, ...]
    stated_mpp: tuple[float, float] | None
    assumed: int
    values: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What `data_report` found.

    Attributes
    ----------
    parts : dict of str to Part
        By name of the part.
    pictures : dict of str to Pictures
        By port key.
    shifts_um : dict of str to dict of str to float
        By case and key: distance to the case's first picture, where it could be told.
    pairs : int
        Of how many it was looked for.
    problems : tuple of Problem
        Kinds: ``unreadable``, ``leak``, ``misregistered``, ``same``, ``blank``, ``types``, ``tissue``.
    shift_limit_um : float
        See `SHIFT_LIMIT_UM`.
    """

    parts: dict[str, Part]
    pictures: dict[str, Pictures]
    shifts_um: dict[str, dict[str, float]]
    pairs: int
    problems: tuple[Problem, ...]
    shift_limit_um: float

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield it as text: two tables and the problems, one sentence each."""
        yield from table(
            ["part", "cases", "groups", "tissue (mm²)"],
            [[name, part.cases, part.groups, number(part.tissue_mm2)] for name, part in self.parts.items()],
        )
        yield ""
        yield from table(
            ["pictures", "files", "type", "µm/px stated", "silent", "lowest", "1 %", "99 %", "highest"],
            [
                [key, p.files, " or ".join(p.types), span(p.stated_mpp), p.assumed, *map(number, p.values)]
                for key, p in self.pictures.items()
            ],
        )
        shifts = [shift for by_key in self.shifts_um.values() for shift in by_key.values()]
        if shifts or self.pairs:
            yield ""
        if shifts:
            yield (
                f"Shift of pairs: median {np.median(shifts):.2g} µm, largest {max(shifts):.2g} µm "
                f"(misregistered from {self.shift_limit_um:g} µm)."
            )
        if untold := self.pairs - len(shifts):
            yield (
                f"Of {untold} of {self.pairs} pairs no shift could be told: their pictures are not alike "
                "where they show most. Look whether they are of one field."
            )
        yield ""
        if not self.problems:
            yield "No problem found."
        for problem in self.problems:
            yield f"{problem.kind}: {problem.sentence}"


@dataclass(frozen=True)
class _Look:
    """What was seen of one case."""

    case: Case
    tissue_mm2: float | None
    shifts_um: dict[str, float]
    compared: int
    pictures: dict[str, tuple[str, float | None, NDArray[np.float64]]]
    seen: Seen
    problems: list[Problem]


def data_report(
    parts: Mapping[str, Sequence[Case]],
    *,
    mpp: float | None,
    assumed_mpp: float | None = None,
    masks: Collection[str] = ("mask",),
    patch: int | None = None,
    shift_limit_um: float = SHIFT_LIMIT_UM,
) -> Generator[Progress, None, DataReport]:
    """Look a data set over.

    Every file is opened; of each a thumbnail and one window of up to 1024 px, where the case has most tissue, are read.

    Parameters
    ----------
    parts : mapping of str to sequence of Case
        As `diffuscope.cases.split` returns them. The first key of a case is its reference: its tissue counts, and the
        others' shifts are measured against it.
    mpp, assumed_mpp, masks : optional
        As in `open_case`.
    patch : int, optional
        Side of a training crop, px of the model: cases with no place for one that is half tissue are told.
    shift_limit_um : float
        Pairs that lie farther apart are told, if moving one makes them more alike.

    Yields
    ------
    Progress
        After each case.

    Returns
    -------
    DataReport
    """

    def look(case: Case) -> _Look:
        opened = open_case(case, mpp=mpp, assumed_mpp=assumed_mpp, masks=masks)
        return _look(opened, mpp, patch, shift_limit_um)

    looks, problems = yield from look_over(parts, look)
    problems += [problem for part in looks.values() for look in part for problem in look.problems]
    pictures = _pictures([look for part in looks.values() for look in part])
    problems += several_types({key: found.types for key, found in pictures.items()})
    return DataReport(
        parts={part: _part(parts[part], looks[part]) for part in parts},
        pictures=pictures,
        shifts_um={look.case.name: look.shifts_um for part in looks.values() for look in part if look.shifts_um},
        problems=(
            *shared_groups(parts),
            *shared_pictures({part: [look.seen for look in own] for part, own in looks.items()}),
            *problems,
        ),
        pairs=sum(look.compared for part in looks.values() for look in part),
        shift_limit_um=shift_limit_um,
    )


def _look(opened: OpenCase, mpp: float | None, patch: int | None, limit: float) -> _Look:
    case, (first, *others) = opened.case, opened.case.files
    scan, factor = opened.scans[first], opened.factors[first]
    tissue = tissue_mask(scan)
    problems = []
    if patch is not None and not len(tissue_corners(opened, patch, key=first, tissue=tissue)):
        problems.append(
            Problem(
                "tissue", (case.name,), f"no crop of {patch} px of case {case.name} is half tissue: it is not used."
            )
        )
    height, width = (min(side, _WINDOW) for side in opened.shape)
    ys, xs = (
        np.unique(np.linspace(0, side - extent, 9).astype(int))
        for side, extent in zip(opened.shape, (height, width), strict=True)
    )
    part = tissue.fractions_in(ys * factor, xs * factor, height * factor, width * factor)
    row, column = np.unravel_index(np.argmax(part), part.shape)
    windows = {key: opened.read(key, int(ys[row]), int(xs[column]), height, width) for key in case.files}
    pictures = {}
    for key, pixels in windows.items():
        own = opened.scans[key]
        values = np.percentile(pixels.astype(np.float64), [0, 1, 99, 100])
        pictures[key] = (f"{pixels.dtype} × {pixels.shape[2]}", own.stated_mpp, values)
        if values[0] == values[-1] and key not in opened.masks:
            sentence = f"{key} of case {case.name} ({own.name}) shows nothing but {values[0]:g}."
            problems.append(Problem("blank", (case.name,), sentence))
    shifts, compared = {}, 0
    for key in others:
        if np.array_equal(windows[key], windows[first]):
            sentence = f"{key} and {first} of case {case.name} are one and the same picture: there is nothing to learn."
            problems.append(Problem("same", (case.name,), sentence))
            continue
        shift = None if key in opened.masks else find_shift(structure(windows[first]), structure(windows[key]))
        if shift is None or mpp is None:
            continue
        compared += 1
        # Where neither place is like the other the peak is chance.
        if abs(shift.after) < _BETTER:
            continue
        if shift.length * mpp <= limit or abs(shift.after) >= abs(shift.before) + _BETTER:
            shifts[key] = shift.length * mpp
        if shifts.get(key, 0.0) > limit:
            sentence = (
                f"{key} of case {case.name} lies {shifts[key]:.1f} µm from its {first} ({-shift.x * mpp:+.1f} right, "
                f"{-shift.y * mpp:+.1f} down; moved back, their correlation is {shift.after:.2f} instead of "
                f"{shift.before:.2f}): register the pair."
            )
            problems.append(Problem("misregistered", (case.name,), sentence))
    area = tissue.area_px * scan.mpp**2 / 1e6 if scan.mpp is not None else None
    return _Look(case, area, shifts, compared, pictures, Seen(case, scan.fingerprint, hashes(scan)), problems)


def _part(cases: Sequence[Case], looks: Sequence[_Look]) -> Part:
    areas = [look.tissue_mm2 for look in looks]
    total = None if None in areas else float(sum(area for area in areas if area is not None))
    return Part(len(cases), len({case.group for case in cases}), total)


def _pictures(looks: Sequence[_Look]) -> dict[str, Pictures]:
    found = {}
    for key in dict.fromkeys(key for look in looks for key in look.pictures):
        seen = [look.pictures[key] for look in looks if key in look.pictures]
        stated = [mpp for _, mpp, _ in seen if mpp is not None]
        values = np.array([value for _, _, value in seen])
        found[key] = Pictures(
            files=len(seen),
            types=tuple(sorted({kind for kind, _, _ in seen})),
            stated_mpp=(min(stated), max(stated)) if stated else None,
            assumed=len(seen) - len(stated),
            values=(*map(float, values[:, :2].min(axis=0)), *map(float, values[:, 2:].max(axis=0))),  # type: ignore[arg-type]
        )
    return found
