"""How sure a model was of the words that it wrote, from the probabilities of their pieces; no Qt here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from diffuscope.ports.text import Written

Level = Literal["sure", "less sure", "unsure"]
#: From these probabilities on a word is sure, and less sure.
SURE, LESS_SURE = 0.9, 0.5
_WORD = re.compile(r"\w(?:[\w'’-]*\w)?")


@dataclass(frozen=True)
class Word:
    """A word of a text that a model wrote.

    Attributes
    ----------
    start, end : int
        Its characters, the end not among them.
    probability : float
        That of its least probable piece, in [0, 1].
    """

    start: int
    end: int
    probability: float

    @property
    def level(self) -> Level:
        """How sure it is, in words."""
        return "sure" if self.probability >= SURE else "less sure" if self.probability >= LESS_SURE else "unsure"


def words_of(written: Written) -> list[Word]:
    """Return the words of a text with their probabilities; those whose pieces are not told are left out.

    Pieces are looked for in the text one after another: a piece that is not in it (the mark of its end, say) is passed
    over.
    """
    pieces: list[tuple[int, int, float]] = []
    place = 0
    for piece, probability in written.tokens:
        bare = piece.strip()
        at = written.text.find(bare, place) if bare else -1
        if at >= 0:
            place = at + len(bare)
            pieces.append((at, place, probability))
    found = []
    for word in _WORD.finditer(written.text):
        own = [probability for start, end, probability in pieces if start < word.end() and end > word.start()]
        if own:
            found.append(Word(word.start(), word.end(), min(own)))
    return found


def sureness_text(words: list[Word]) -> str:
    """Say how many words are not sure; nothing where no probability is told."""
    if not words:
        return ""
    counts = {level: sum(word.level == level for word in words) for level in ("less sure", "unsure")}
    if not any(counts.values()):
        return f"The model was sure ({SURE:.0%} or more) of all {len(words)} words."
    told = " and ".join(f"{count} {level}" for level, count in counts.items() if count)
    return f"Of {len(words)} words {told}."
