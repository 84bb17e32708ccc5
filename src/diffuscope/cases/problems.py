"""Leaks between parts: one patient, or one picture, that both trains and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.case import Case
from diffuscope.cases.likeness import alike


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
