"""Case: the pictures of one field, by what they are to a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """Pictures of one field: what a model sees and what it is to find.

    Attributes
    ----------
    name : str
        Unique in a data set.
    group : str
        The patient or slide that it comes from: a split never divides one.
    files : mapping of str to Path
        By port key, e.g. ``"he"``, ``"ihc"``, ``"mask"``.
    part : str or None
        ``"train"``, ``"validation"`` or ``"test"`` where the data states it.
    slide : str
        The slide that its pictures were cut from; empty where nothing is known of one.
    """

    name: str
    group: str
    files: Mapping[str, Path]
    part: str | None = None
    slide: str = ""
