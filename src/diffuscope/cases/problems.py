"""What is wrong with a data set: cases that cannot be read, files of several types, what both trains and tests."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.case import Case
from diffuscope.cases.likeness import alike
from diffuscope.errors import InputError
from diffuscope.events import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """Something to look at before training: its kind, the cases, and a sentence."""

    kind: str
    cases: tuple[str, ...]
    sentence: str


class Seen(NamedTuple):
    """A case, the fingerprint of its first picture, and that picture's `hashes`."""

    case: Case
    fingerprint: str
    hashes: NDArray[np.uint8] | None


def look_over(
    parts: Mapping[str, Sequence[Case]], look: Callable[[Case], T]
) -> Generator[Progress, None, tuple[dict[str, list[T]], list[Problem]]]:
    """Look at each case of a data set.

    Parameters
    ----------
    parts : mapping of str to sequence of Case
        By name of the part.
    look : callable
        Returns what it sees of a case, or raises InputError.

    Yields
    ------
    Progress
        After each case.

    Returns
    -------
    dict of str to list, list of Problem
        What was seen of the cases of each part, and those that could not be looked at.
    """
    every = [(part, case) for part, cases in parts.items() for case in cases]
    seen: dict[str, list[T]] = {part: [] for part in parts}
    problems: list[Problem] = []
    yield Progress(total=len(every), unit="cases")
    for done, (part, case) in enumerate(every, start=1):
        try:
            seen[part].append(look(case))
        except InputError as error:
            problems.append(Problem("unreadable", (case.name,), str(error)))
        yield Progress(done=done, total=len(every), unit="cases")
    return seen, problems


def several_types(types: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Tell of keys whose files are of several types."""
    return [
        Problem("types", (), f"the files of {key} are of several types: {', '.join(found)}.")
        for key, found in types.items()
        if len(found) > 1
    ]


def shared_groups(parts: Mapping[str, Sequence[Case]]) -> list[Problem]:
    """Tell of groups that are in two parts, and of slides that are, of whatever group."""
    where: dict[tuple[str, str], dict[str, list[str]]] = {}
    for part, cases in parts.items():
        for case in cases:
            for kind, name in dict.fromkeys((("group", case.group), ("slide", case.slide))):
                if name and not (kind == "slide" and name == case.group):
                    where.setdefault((kind, name), {}).setdefault(part, []).append(case.name)
    return [
        Problem(
            "leak",
            tuple(name for names in there.values() for name in names),
            f"{kind} {name} is in {' and in '.join(there)}: keep it in one part.",
        )
        for (kind, name), there in where.items()
        if len(there) > 1
    ]


def shared_pictures(parts: Mapping[str, Sequence[Seen]]) -> list[Problem]:
    """Tell of pictures that are in two parts, whatever they are called; crops of one another are not noticed."""
    problems = []
    for (part, own), (other, theirs) in combinations(parts.items(), 2):
        known = [(seen, seen.hashes[0]) for seen in theirs if seen.hashes is not None]
        if not known:
            continue
        many = np.stack([first for _, first in known])
        for one in own:
            if one.hashes is None:
                continue
            for index in np.flatnonzero(alike(one.hashes, many)):
                two = known[index][0]
                how = "are the same file" if one.fingerprint == two.fingerprint else "look the same"
                sentence = (
                    f"case {one.case.name} in {part} and case {two.case.name} in {other} {how}: keep one of them."
                )
                problems.append(Problem("leak", (one.case.name, two.case.name), sentence))
    return problems
