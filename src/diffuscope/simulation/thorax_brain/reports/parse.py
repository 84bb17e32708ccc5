"""read_report: what a text says, by word order and negation; it knows the words, and no template."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from diffuscope.simulation.thorax_brain.findings import Finding, Findings, Region
from diffuscope.simulation.thorax_brain.reports.negation import Mention, asserted
from diffuscope.simulation.thorax_brain.reports.words import (
    KIND_WORDS,
    REGION_HINTS,
    REGION_WORDS,
    SIDE_WORDS,
    SIZE_WORDS,
    ZONE_WORDS,
)

_TOKEN = re.compile(r"[a-z]+|[.,;:!?\n]")
#: Of a finding, what texts mention.
_NAMES = ("kind", "side", "zone", "size")


def read_report(text: str) -> Findings:
    """Read what a report says.

    Attributes that a sentence mentions are put together by their order: as many of each are paired one by one, one of
    many is shared ("two small nodules in the left upper and the right lower zone"), and a place takes the side that
    stands before it. What a sentence leaves open the next may tell ("It is solid."). What is denied does not count: "no
    cyst", "not calcified but solid", "a cyst is not seen", "the left lung is clear".

    Parameters
    ----------
    text : str
        In English; case does not matter. Any text: of one that says nothing, nothing is read.

    Returns
    -------
    Findings
        What was not told is None.
    """
    words = _TOKEN.findall(text.lower())
    found: list[_Draft] = []
    open_drafts: list[_Draft] = []
    for sentence in _sentences(words):
        drafts = _drafts(asserted(sentence, _LEXICON))
        if not drafts:
            continue
        told = {name for draft in drafts for name in draft.values}
        if open_drafts and len(drafts) in (1, len(open_drafts)) and not told & _known(open_drafts):
            more = drafts if len(drafts) == len(open_drafts) else drafts * len(open_drafts)
            for draft, extra in zip(open_drafts, more, strict=True):
                draft.values.update(extra.values)
        else:
            found += drafts
            open_drafts = drafts
    return Findings(_region(words), tuple(draft.finding for draft in found if draft.says_something))


@dataclass
class _Draft:
    """A finding while it is read: what was said of it, by name."""

    values: dict[str, Any]

    @property
    def says_something(self) -> bool:
        """A side alone is no finding."""
        return bool(self.values.keys() - {"side"})

    @property
    def finding(self) -> Finding:
        return Finding(*(self.values.get(name) for name in _NAMES))


def _known(drafts: list[_Draft]) -> set[str]:
    return {name for draft in drafts for name in draft.values}


def _sentences(words: list[str]) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for word in words:
        if word in ".!?\n":
            sentences.append([])
        else:
            sentences[-1].append(word)
    return [sentence for sentence in sentences if sentence]


def _drafts(mentions: list[Mention]) -> list[_Draft]:
    """Put the mentions of a sentence together."""
    streams = {name: [one for one in mentions if one.name == name] for name in _NAMES}
    places = len(streams["zone"])
    for name in ("kind", "side", "size"):
        if places and len(streams[name]) > places:  # "the left upper zone of the left lung"
            streams[name] = [
                one for at, one in enumerate(streams[name]) if at == 0 or one.value != streams[name][at - 1].value
            ]
    count = max(len(stream) for stream in streams.values())
    anchors = max((streams["zone"], streams["kind"], streams["size"], streams["side"]), key=len)
    drafts = [_Draft({}) for _ in range(count)]
    for name, stream in streams.items():
        for draft, anchor, at in zip(drafts, anchors[:count], range(count), strict=False):
            if len(stream) == count:
                draft.values[name] = stream[at].value
            elif stream:
                draft.values[name] = _nearest(stream, anchor, anchors[0])
    return drafts


def _nearest(stream: list[Mention], anchor: Mention, first: Mention) -> Any:
    """Return the last before an anchor where what is told so begins the sentence, else the next behind it."""
    if stream[0].at < first.at or stream[0] is first:
        return [one for one in stream if one.at <= anchor.at][-1].value
    behind = [one for one in stream if one.at >= anchor.at]
    return (behind[0] if behind else stream[-1]).value


def _region(words: list[str]) -> Region | None:
    """Return the region that is named first."""
    for word in words:
        for region in REGION_WORDS:
            if word in REGION_WORDS[region] or word in REGION_HINTS[region]:
                return region
    return None


def _lexicon() -> dict[tuple[str, ...], tuple[str, Any]]:
    """Return what words mean: (name of what they tell, value)."""
    table: dict[tuple[str, ...], tuple[str, Any]] = {}
    plain: tuple[tuple[str, dict[Any, tuple[str, ...]]], ...] = (
        ("size", SIZE_WORDS),
        ("side", SIDE_WORDS),
        ("zone", ZONE_WORDS),
    )
    for name, values in plain:
        for value, synonyms in values.items():
            table.update({tuple(word.split("-")): (name, value) for word in synonyms})
    for kinds in KIND_WORDS.values():
        for kind, called in kinds.items():
            for word in (*called.adjectives, *(noun for pair in called.nouns for noun in pair)):
                table[tuple(word.split("-"))] = ("kind", kind)
    return table


_LEXICON = _lexicon()
