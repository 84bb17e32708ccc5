"""What a form knows of the outlines that are chosen for a mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MaskFacts:
    """What is chosen for a mask of the model.

    Attributes
    ----------
    roles : tuple of str
        Those that something has.
    problem : str
        Why it cannot be taken, in one sentence; empty where it can.
    files : tuple of Path or None
        Where each layer comes from that has one of these roles; None of one that was drawn in the window.
    changes : int
        How often outlines were painted, drawn or moved in the window.
    """

    roles: tuple[str, ...] = ()
    problem: str = ""
    files: tuple[Path | None, ...] = ()
    changes: int = 0
