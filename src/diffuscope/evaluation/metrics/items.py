"""How well what was found of a case matches what is there, thing by thing: precision, recall, F1 of sets.

A thing is any hashable value, e.g. a finding's kind, side and zone; a case is a collection in which one may come twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

from diffuscope.errors import InputError


class Match(NamedTuple):
    """How many things were found.

    Attributes
    ----------
    precision : float
        Share of what was found that is there; NaN where nothing was found.
    recall : float
        Share of what is there that was found; NaN where nothing is there.
    f1 : float
        2 hits / (found + there); NaN where both are empty.
    """

    precision: float
    recall: float
    f1: float


def matched(truth: Sequence[Collection[Hashable]], found: Sequence[Collection[Hashable]]) -> Match:
    """Return precision, recall and F1 over all things of all cases (micro means).

    Parameters
    ----------
    truth, found : sequence of collection
        Things of each case, in any order; one that comes twice is to be found twice.

    Raises
    ------
    InputError
        There are not as many cases of one as of the other.
    """
    _check(truth, found)
    hits = sum((Counter(a) & Counter(b)).total() for a, b in zip(truth, found, strict=True))
    there, said = sum(map(len, truth)), sum(map(len, found))
    return Match(_ratio(hits, said), _ratio(hits, there), _ratio(2 * hits, said + there))


def exact(truth: Sequence[Collection[Hashable]], found: Sequence[Collection[Hashable]]) -> list[bool]:
    """Return of each case whether just what is there was found.

    Raises
    ------
    InputError
        As of `matched`.
    """
    _check(truth, found)
    return [Counter(a) == Counter(b) for a, b in zip(truth, found, strict=True)]


def overlap(first: Collection[Hashable], second: Collection[Hashable]) -> float:
    """Return what two cases have in common: 2 |both| / (|first| + |second|), 1 where both are empty."""
    both = (Counter(first) & Counter(second)).total()
    count = len(first) + len(second)
    return 2 * both / count if count else 1.0


def _check(truth: Sequence[Collection[Hashable]], found: Sequence[Collection[Hashable]]) -> None:
    if len(truth) != len(found):
        raise InputError(f"{len(found)} cases cannot be held against {len(truth)}: give both for each.")


def _ratio(a: int, b: int) -> float:
    return a / b if b else float("nan")
