"""Pieces that reports are made of: how one finding is called, where it lies, and both in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.findings import Finding, Region
from diffuscope.simulation.thorax_brain.reports.words import (
    HALVES,
    KIND_WORDS,
    NOUNS,
    SIDE_WORDS,
    SIZE_WORDS,
    ZONE_NOUNS,
    ZONE_WORDS,
)

_T = TypeVar("_T")


class Voice:
    """Draws words: one of several, by one stream of random numbers."""

    def __init__(self, region: Region, rng: np.random.Generator) -> None:
        self.region = region
        self._rng = rng

    def one(self, choices: Sequence[_T]) -> _T:
        """Return one of several."""
        return choices[int(self._rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        """Return true in a share of cases."""
        return bool(self._rng.random() < share)

    def shuffled(self, count: int) -> list[int]:
        """Return 0 … count − 1 in any order."""
        return [int(number) for number in self._rng.permutation(count)]

    def by_share(self, shares: NDArray[np.floating]) -> int:
        """Return a number, each in its share of cases."""
        return int(self._rng.choice(len(shares), p=shares))

    def size(self, finding: Finding) -> str:
        """Return a word for a size."""
        return self.one(SIZE_WORDS[finding.size]) if finding.size else ""

    def adjective(self, finding: Finding) -> str:
        """Return a word for a kind that stands before a noun."""
        return self.one(KIND_WORDS[self.region][finding.kind].adjectives) if finding.kind else ""

    def predicate(self, finding: Finding) -> str:
        """Return a word for a kind that stands behind "is"."""
        return self.adjective(finding).replace("soft-tissue", "of soft tissue")

    def noun(self, *, several: bool = False) -> str:
        """Return a word for any finding."""
        return self.one(NOUNS[self.region])[several]

    def thing(self, finding: Finding, *, several: bool = False) -> str:
        """Return size and kind with a noun: "small solid nodule", "large cyst"."""
        nouns = KIND_WORDS[self.region][finding.kind].nouns if finding.kind else ()
        if nouns and self.chance(0.5):
            return f"{self.size(finding)} {self.one(nouns)[several]}"
        adjective, noun = self.adjective(finding), self.noun(several=several)
        if not several and self.chance(0.2):
            return f"{adjective} {noun}, {self.size(finding)},"
        return f"{self.size(finding)} {adjective} {noun}"

    def where(self, finding: Finding) -> str:
        """Return a place: "left upper zone", "upper third of the left lung"."""
        if not finding.side or not finding.zone:
            return ""
        zone, noun = self.one(ZONE_WORDS[finding.zone]), self.one(ZONE_NOUNS)[0]
        # One of two: "the left-sided lung" is no English.
        side = SIDE_WORDS[finding.side][0]
        if self.chance(0.4):
            return f"{zone} {noun} of the {side} {HALVES[self.region][0]}"
        return f"{side} {zone} {noun}"


def article(words: str) -> str:
    """Return words with "a" or "an" before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _lies(voice: Voice, finding: Finding) -> str:
    verb = voice.one(("lies", "is seen", "is present", "is found"))
    return f"{article(voice.thing(finding))} {verb} in the {voice.where(finding)}"


def _there(voice: Voice, finding: Finding) -> str:
    start = voice.one(("in the {}, there is {}", "the {} shows {}", "the {} contains {}", "in the {} lies {}"))
    return start.format(voice.where(finding), article(voice.thing(finding)).rstrip(","))


def _listed(voice: Voice, finding: Finding) -> str:
    return f"{voice.where(finding)}: {voice.thing(finding).rstrip(',')}"


def _sided(voice: Voice, finding: Finding) -> str:
    """One word for the side before the noun: "a left-sided small cyst in the upper zone"."""
    if not finding.side or not finding.zone:
        return ""
    side, zone = voice.one(SIDE_WORDS[finding.side]), voice.one(ZONE_WORDS[finding.zone])
    return f"there is a {side} {voice.thing(finding)} in the {zone} {voice.one(ZONE_NOUNS)[0]}"


def _which(voice: Voice, finding: Finding) -> str:
    return f"a {voice.size(finding)} {voice.noun()} in the {voice.where(finding)} is {voice.predicate(finding)}"


def _denied(voice: Voice, finding: Finding) -> str:
    """Say what it is and what it is not."""
    others = [kind for kind in KIND_WORDS[voice.region] if kind != finding.kind]
    other = voice.predicate(replace(finding, kind=voice.one(others)))
    said = f"{voice.predicate(finding)} and not {other}"
    if voice.chance(0.5):
        said = f"not {other} but {voice.predicate(finding)}"
    return f"in the {voice.where(finding)}, {article(f'{voice.size(finding)} {voice.noun()}')} is {said}"


#: How one finding is told; with its share.
SENTENCES: tuple[tuple[Callable[[Voice, Finding], str], float], ...] = (
    (_lies, 0.25),
    (_there, 0.25),
    (_listed, 0.2),
    (_sided, 0.1),
    (_which, 0.1),
    (_denied, 0.1),
)
