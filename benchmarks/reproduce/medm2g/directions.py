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
        Keys; nothing may be given.
    unseen : bool
        Whether no patient who trained has both, so that what is given reaches what is made through a third alone.
    by : str
        Key of that third, made first, of which the rest is made then; without, what is given guides by itself.
    """

    given: tuple[str, ...]
    made: tuple[str, ...]
    unseen: bool = False
    by: str = ""

    @property
    def name(self) -> str:
        """As results have it."""
        return ">".join("+".join(keys) for keys in self._steps())

    @property
    def told(self) -> str:
        """As the page has it."""
        return " → ".join(" + ".join(_NAMES[key] for key in keys) or "nothing" for keys in self._steps())

    def _steps(self) -> tuple[tuple[str, ...], ...]:
        return (self.given, *([(self.by,)] if self.by else []), self.made)


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
#: Of a model whose MRI has heard CT alone: at once, and by way of a CT.
BRIDGED = tuple(Direction((given,), ("t2",), unseen=True, by=by) for given in ("xray", REPORT) for by in ("", "ct"))
#: Joint generation, several kinds of images at once; against as many runs by themselves.
JOINT = (Direction((), ("ct", "t2")), Direction((REPORT,), ("ct", "t2", "xray")), Direction(("xray",), ("ct", "t2")))
