"""Text: words that go in or come out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

# A single letter is one where it is none of the alphabet: "β", and not the "X" of an X-ray.
_WORD = re.compile(r"[^\W\d_]{2,}|[^\W\d_A-Za-z]")
# Of words and marks each is a piece, at least, to any tokenizer.
_PIECE = re.compile(r"\w+|[^\w\s]")
# Words that a sentence names.
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text, e.g. a report.

    Attributes
    ----------
    name, key : str
        As of `Raster`.
    longest : int
        Characters that a system reads at most.
    required : bool
        Whether a system cannot do without.
    words : tuple of str
        Of an input: words that a system has learned, in lower case; empty: it does not say.
    most_words : int
        Of an input: words and marks that a system reads at most, fewer where it takes some apart; 0: it does not say.
    """

    kind: ClassVar[str] = "text"
    name: str
    key: str
    longest: int = 10_000
    required: bool = True
    words: tuple[str, ...] = ()
    most_words: int = 0

    def too_long(self, text: str) -> str:
        """Say in a sentence that a text is longer than what a system reads; nothing where it may not be."""
        if len(text) > self.longest:
            return f"{self.name} has {len(text):,} characters and may have {self.longest:,}: shorten it."
        count = len(_PIECE.findall(text)) if self.most_words else 0
        if count > self.most_words:
            return f"{self.name} has {count:,} words and marks, and the model reads {self.most_words}: shorten it."
        return ""

    def unknown(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that a system has not learned, each once and in order; none of numbers."""
        known = _known(self.words)
        found = (word.lower() for word in _WORD.findall(text)) if known else ()
        return tuple(dict.fromkeys(word for word in found if word not in known))

    def doubt(self, text: str) -> str:
        """Say in a sentence which words of a text a system has not learned, or that it knows none; else nothing."""
        unknown = self.unknown(text)
        if text.strip() and self.words and not unknown and not _WORD.search(text):
            return "There is no word in this text: the model can only guess what it means."
        if not unknown:
            return ""
        more = len(unknown) - _NAMED
        words = ", ".join(f"“{word}”" for word in unknown[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"The model has never read {words}: it can only guess what that means."


@cache
def _known(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(words)


@dataclass(frozen=True)
class Written:
    """A text that a system made.

    Attributes
    ----------
    text : str
        All of it.
    tokens : tuple of (str, float)
        Its pieces in order, each with the probability in [0, 1] that the system gave it; none where it tells nothing.
    """

    text: str
    tokens: tuple[tuple[str, float], ...] = ()
