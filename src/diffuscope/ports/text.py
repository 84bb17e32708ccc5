"""Text: words that go in or come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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
    """

    kind: ClassVar[str] = "text"
    name: str
    key: str
    longest: int = 10_000
    required: bool = True


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
