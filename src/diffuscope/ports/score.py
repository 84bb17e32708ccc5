"""Score: how probable one of two classes is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Score:
    """The probability of the second of two classes, of a case or, in a tiled system, of each tile.

    Attributes
    ----------
    name, key : str
        As of `Raster`.
    classes : tuple of str
        E.g. ``("no metastasis", "metastasis")``.
    threshold : float, optional
        Probability from which the second class is decided for; None decides nothing.
    """

    kind: ClassVar[str] = "score"
    name: str
    key: str
    classes: tuple[str, str]
    threshold: float | None = None
