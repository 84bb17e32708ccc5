"""Which mentions of a sentence are asserted, and which denied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Mention(NamedTuple):
    """A word that tells something: what of (kind, side, zone, size), which, and where it stands in the sentence."""

    name: str
    value: Any
    at: int


#: Deny all that follows, up to a turn; deny what follows next; deny what stands before.
_ALL = {"no", "nothing", "neither", "none", "absence"}
_NEXT = {"not", "non", "nor", "without"}
_BEFORE = {"clear", "normal", "unremarkable", "free", "absent", "spared", "unaffected"}
#: Behind "not" these deny what stands before.
_SEEN = {"seen", "present", "found", "visible", "identified", "evident", "detected", "shown", "affected", "involved"}
#: End what is denied, always; or where something new is counted behind them.
_TURNS = {"but", "while", "whereas", "however", "although", "though", ";", ":"}
_JOINTS = {",", "and"}
_COUNTED = {"a", "an", "one", "two", "three", "there", "the", "in"}
#: Take something out of what is denied: "clear except for …", "apart from …", "other than …".
_EXCEPT = {"except", "apart", "aside", "save", "than"}


def asserted(words: list[str], lexicon: Mapping[tuple[str, ...], tuple[str, Any]]) -> list[Mention]:
    """Return what a sentence asserts, in order.

    Parameters
    ----------
    words : list of str
        Lower case, and punctuation within the sentence; hyphens split words.
    lexicon : dict
        Words (one or two) to what they tell.
    """
    scan = _Scan(words, lexicon)
    while scan.at < len(words):
        scan.step()
    return scan.kept


class _Scan:
    """A sentence while it is read, word by word."""

    def __init__(self, words: list[str], lexicon: Mapping[tuple[str, ...], tuple[str, Any]]) -> None:
        self.words, self.lexicon = words, lexicon
        self.at = 0
        self.kept: list[Mention] = []
        # Of `kept`: where the clause begins, and the one before it.
        self.clause = self.before = 0
        # Sides of a clause that was denied, should an exception follow.
        self.spared: list[Mention] = []
        self.denied = ""

    def step(self) -> None:
        """Read a word, or two that belong together."""
        word, after = self.words[self.at], "".join(self.words[self.at + 1 : self.at + 2])
        length = 2 if (word, after) in self.lexicon else 1
        meaning = self.lexicon.get(tuple(self.words[self.at : self.at + length]))
        # "no calcified, cystic or solid nodule" goes on behind the comma.
        if word in _TURNS | _EXCEPT or (word in _JOINTS and (self.denied != "all" or after in _COUNTED)):
            self._turn(excepted=word in _EXCEPT)
        elif word in _ALL:
            self.denied = "all"
        elif word in _BEFORE or (word == "not" and _SEEN.intersection(self.words[self.at + 1 : self.at + 3])):
            self._deny_before()
        elif word in _NEXT:
            self.denied = "next" if self.kept or word != "without" else "all"
        elif meaning is not None:
            self._mention(Mention(*meaning, self.at), goes_on=after in {"or", "nor"})
        self.at += length

    def _turn(self, *, excepted: bool) -> None:
        if excepted and not _sides(self.kept[self.clause :]):
            self.kept += [one._replace(at=self.at) for one in self.spared]
        self.denied, self.before, self.clause = "", self.clause, len(self.kept)

    def _deny_before(self) -> None:
        if self.words[self.at - 1 : self.at] == [":"]:  # "calcification: absent"
            self.clause = self.before
        self.spared = _sides(self.kept[self.clause :])
        del self.kept[self.clause :]
        self.denied = "all"

    def _mention(self, mention: Mention, *, goes_on: bool) -> None:
        if not self.denied:
            self.kept.append(mention)
        elif self.denied == "all" and mention.name == "side":
            self.spared.append(mention)
        elif self.denied == "next" and not goes_on:
            self.denied = ""


def _sides(mentions: list[Mention]) -> list[Mention]:
    return [one for one in mentions if one.name == "side"]
