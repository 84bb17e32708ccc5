"""What is made from what: the paper's tasks, on the keys of the simulator."""

from __future__ import annotations

from dataclasses import dataclass

REPORT = "report"
#: Contrasts of MRI that come out, and those that only go in.
CONTRASTS = ("t1", "t2", "pd", "flair", "t1ce")
ACCELERATED = ("t1_fast", "t2_fast")
IMAGES = ("ct", *CONTRASTS, *ACCELERATED, "xray")
_NAMES = {
    "report": "report", "ct": "CT", "xray": "X-ray", "t1": "T1", "t2": "T2", "pd": "PD", "flair": "FLAIR",
    "t1ce": "T1ce", "t1_fast": "accelerated T1", "t2_fast": "accelerated T2",
}  # fmt: skip


@dataclass(frozen=True)
class Direction:
    """One task.

    Attributes
    ----------
    given, made : tuple of str
        Keys.
    unseen : bool
        Whether no patient who trained has both, so that what is given reaches what is made through a third alone.
    """

    given: tuple[str, ...]
    made: tuple[str, ...]
    unseen: bool = False

    @property
    def name(self) -> str:
        """As results have it."""
        return f"{'+'.join(self.given)}>{'+'.join(self.made)}"

    @property
    def told(self) -> str:
        """As the page has it."""
        return " → ".join(" + ".join(_NAMES[key] for key in keys) for keys in (self.given, self.made))


REPORTS = (
    Direction(("xray",), (REPORT,)),
    Direction(("ct",), (REPORT,)),
    Direction(("t2",), (REPORT,), unseen=True),
)
PICTURES = (
    Direction((REPORT,), ("xray",)),
    Direction((REPORT,), ("ct",)),
    Direction((REPORT,), ("t2",), unseen=True),
)
#: Many contrasts to one: BraTS' two tasks, IXI's two, and that of the paper's Tables 7 and 9.
SYNTHESIS = (
    Direction(("t2", "t1ce", "flair"), ("t1",)),
    Direction(("t1", "t1ce", "flair"), ("t2",)),
    Direction(("t2", "pd"), ("t1",)),
    Direction(("t1", "pd"), ("t2",)),
    Direction(("t1", "t2"), ("pd",)),
)
TRANSLATION = (
    Direction(("t2",), ("ct",)),
    Direction(("t1",), ("ct",)),
    Direction(("t2_fast",), ("ct",)),
    Direction(("t1_fast",), ("ct",)),
)
ACROSS = (Direction(("ct",), ("xray",), unseen=True), Direction(("xray",), ("t2",), unseen=True))
ALL = (*REPORTS, *PICTURES, *SYNTHESIS, *TRANSLATION, *ACROSS)
#: Joint generation, several kinds of images at once; against as many runs by themselves.
JOINT = (Direction((REPORT,), ("ct", "t2", "xray")), Direction(("xray",), ("ct", "t2")))
