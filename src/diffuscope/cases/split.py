"""Which case trains, validates and tests: whole groups, by a key of their own, so that a new case moves few others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from diffuscope.cases.case import Case
from diffuscope.errors import InputError

PARTS = ("train", "validation", "test")


def split(cases: Sequence[Case], *, validation: float = 0.2, test: float = 0.0, seed: int = 0) -> dict[str, list[Case]]:
    """Split cases by group: no patient or slide is in two parts.

    Groups whose cases state a part are there; the others are ordered by a hash of seed and name, and the first of them
    fill up test, then validation. Where every group states its part none is left to choose, and shares say nothing. The
    same names give the same split, in whatever order they come.

    Parameters
    ----------
    cases : sequence of Case
        From `find_cases`.
    validation, test : float
        Share of all groups, at least one group where above 0; their sum is below 1.
    seed : int
        Of the order.

    Returns
    -------
    dict of str to list of Case
        ``"train"``, ``"validation"``, ``"test"``, each in the order given.

    Raises
    ------
    InputError
        The shares are none, there are too few groups, or one group states two parts.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise InputError(f"validation {validation:g} and test {test:g} are no shares: their sum must be below 1.")
    stated = _stated(cases)
    free = _ordered((group for group, part in stated.items() if part is None), seed)
    place = {group: part for group, part in stated.items() if part is not None}
    for part, share in (("test", test), ("validation", validation)):
        wanted = max(round(share * len(stated)), 1) if share and None in stated.values() else 0
        missing = max(wanted - sum(1 for there in place.values() if there == part), 0)
        place |= dict.fromkeys(free[:missing], part)
        free = free[missing:]
        if (there := sum(1 for there in place.values() if there == part)) < wanted:
            raise _fewer(len(stated), part, there, wanted) if there else _too_few(len(stated), part)
    place |= dict.fromkeys(free, "train")
    if "train" not in place.values():
        raise _too_few(len(stated), "train")
    return {part: [case for case in cases if place[case.group] == part] for part in PARTS}


def folds(cases: Sequence[Case], k: int, *, seed: int = 0) -> list[dict[str, list[Case]]]:
    """Split cases k times, so that each group validates once.

    A group that states ``train`` trains in every fold, one that states ``test`` tests in every fold.

    Parameters
    ----------
    cases : sequence of Case
        From `find_cases`.
    k : int
        Folds, at least 2; as many as groups leave one out at a time.
    seed : int
        Of the order.

    Returns
    -------
    list of dict
        k splits as `split` returns them.

    Raises
    ------
    InputError
        There are fewer free groups than folds, or a group states that it validates, or two parts.
    """
    stated = _stated(cases)
    free = _ordered((group for group, part in stated.items() if part is None), seed)
    fixed = [group for group, part in stated.items() if part == "validation"]
    if fixed:
        raise InputError(f"{fixed[0]} states that it validates, but folds choose that: leave its part empty.")
    if not 2 <= k <= len(free):
        raise InputError(
            f"{len(free)} group{'s' if len(free) != 1 else ''} (patients or slides) cannot make {k} folds: "
            "a fold needs one of its own, and two folds are the fewest."
        )
    splits = []
    for number in range(k):
        place = {group: part or "train" for group, part in stated.items()}
        place |= dict.fromkeys(free[number::k], "validation")
        splits.append({part: [case for case in cases if place[case.group] == part] for part in PARTS})
    return splits


def _stated(cases: Sequence[Case]) -> dict[str, str | None]:
    """Return the part that each group states."""
    stated: dict[str, str | None] = {}
    for case in cases:
        before = stated.get(case.group)
        if case.part and before and case.part != before:
            raise InputError(f"group {case.group} is stated both as {before} and as {case.part}: keep it in one part.")
        stated[case.group] = before or case.part
    return stated


def _ordered(groups: Iterable[str], seed: int) -> list[str]:
    return sorted(groups, key=lambda group: hashlib.blake2b(f"{seed}/{group}".encode()).digest())


def _fewer(groups: int, part: str, there: int, wanted: int) -> InputError:
    return InputError(
        f"{there} of {groups} groups (patients or slides) are left for {part}, and {wanted} are asked for: ask for a "
        "smaller share, or state the part of every case."
    )


def _too_few(groups: int, part: str) -> InputError:
    return InputError(
        f"{groups} group{'s' if groups != 1 else ''} (patients or slides) are too few for this split: none is left for "
        f"{part}; ask for fewer parts or add cases."
    )
