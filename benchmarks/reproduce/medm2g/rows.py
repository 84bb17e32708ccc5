"""The rows of MedM2G's tables: which of the paper's three steps train, and what they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from benchmarks.reproduce.medm2g import directions
from benchmarks.reproduce.medm2g.directions import Direction

SYSTEM, SINGLE, SUPERVISED, RETRIEVAL, TRUTH = "medm2g", "single-flow LDM", "supervised", "retrieval", "truth"
#: The model that ships, prompt encoders alone, and the model that ships whose MRI forgets all but CT.
SHIPS, ALIGNED, BRIDGED = "ships", "aligned", "bridged"
#: Whether V_B([z, f_B]) guides, and how; without, the prompt encoder's tokens alone (an LDM with a condition).
_LCAG = {"kind": "tokens"}
_PROMPT = {"kind": "prompt", "adaptation": 0}
_CODI = {"kind": "global", "adaptation": 0}


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes
    ----------
    name : str
        Safe in a file name.
    told : str
        What it is, as the page has it.
    kind : str
        ``"medm2g"``, or what it is held against.
    align, invariant : bool
        Whether prompt encoders are aligned (CA), and whether two views of one image are to look alike (VI).
    context : mapping
        How one modality guides another (LCAG, or what is in its place).
    places : bool
        Whether what guides has places: some heads look at one place alone, and a report is drawn onto places. That is
        ours, not the paper's (docs/medm2g.md).
    asked : tuple of Direction
        What it makes.
    """

    name: str
    told: str
    kind: str = SYSTEM
    align: bool = False
    invariant: bool = False
    context: Mapping[str, Any] = field(default_factory=lambda: _PROMPT)
    places: bool = False
    asked: tuple[Direction, ...] = directions.ALL


#: What rows of Table 7 are judged by.
JUDGED = (
    directions.REPORTS[0],
    *directions.PICTURES[:2],
    directions.SYNTHESIS[4],
    directions.TRANSLATION[0],
)


def _ablation(*, align: bool, guided: bool, invariant: bool) -> Row:
    steps = [step for step, there in (("CA", align), ("LCAG", guided), ("VI", invariant)) if there]
    name = "-".join(steps).lower() or "ldm"
    told = " + ".join(steps) or "none of the three"
    if len(steps) == 3:
        name, told = "medm2g", "MedM2G: all three"
    context = _LCAG if guided else _PROMPT
    # Everything is asked of the whole and of what has none of the three; of the others what the table judges them by.
    asked = directions.ALL if len(steps) in (0, 3) else JUDGED
    return Row(name, told, align=align, invariant=invariant, context=context, places=guided, asked=asked)


#: Table 7, in the paper's order of how many steps there are.
ABLATION = tuple(
    sorted(
        (_ablation(align=a, guided=b, invariant=c) for a, b, c in product((False, True), repeat=3)),
        key=lambda row: row.align + (row.context == _LCAG) + row.invariant,
    )
)
WHOLE = next(row for row in ABLATION if row.name == "medm2g")
#: Of other ways to guide: what Table 9 judges them by, and what was never seen together.
_OTHERWISE = (
    directions.REPORTS[0],
    *directions.PICTURES[:2],
    directions.SYNTHESIS[0],
    directions.TRANSLATION[0],
    directions.ACROSS[1],
)
LETTER = Row(
    "letter",
    "all three, to the paper's letter: nothing has places",
    align=True,
    invariant=True,
    context=_LCAG,
    asked=_OTHERWISE,
)
CODI = Row("codi", "CoDi-like: CA and one token, no VI, no f_B", align=True, context=_CODI, asked=_OTHERWISE)
#: A task each: an LDM of its own, and a network that is shown the answer.
TASKS = (
    directions.REPORTS[0],
    directions.PICTURES[0],
    directions.SYNTHESIS[0],
    directions.SYNTHESIS[1],
    directions.TRANSLATION[0],
)
SINGLES = Row("single", "single-flow LDM: one task, nothing else", SINGLE, asked=TASKS)
#: A report is read off one image, and an image is painted from one report.
_REGRESSED = (
    directions.REPORTS[0],
    *directions.PICTURES[:2],
    *directions.SYNTHESIS,
    *directions.TRANSLATION,
    directions.ACROSS[0],
)
REGRESSION = Row("supervised", "supervised: one network a task", SUPERVISED, asked=_REGRESSED)
NEAREST = Row(
    "retrieval",
    "nearest training patient",
    RETRIEVAL,
    asked=(*directions.REPORTS[:2], *directions.PICTURES[:2], *directions.TRANSLATION[:2]),
)
REAL = Row("truth", "the true image or report, read", TRUTH)
SHIPPED = Row("any-to-any-demo", "any-to-any-demo, as it ships: trained far longer", SHIPS)
BRIDGE = Row(
    "bridge",
    "any-to-any-demo, whose MRI knows CT alone",
    BRIDGED,
    context=_LCAG,
    places=True,
    asked=directions.BRIDGED,
)
#: What alignment alone makes of prompt encoders, with and without the visual invariant.
ENCODERS = tuple(
    Row(f"encoders-{name}", f"prompt encoders alone, {told}", ALIGNED, align=align, invariant=invariant, asked=())
    for name, told, align, invariant in (
        ("built", "as they are built", False, False),
        ("ca", "CA without VI", True, False),
        ("ca-vi", "CA and VI", True, True),
    )
)
ROWS = (REAL, NEAREST, REGRESSION, *ENCODERS, SHIPPED, BRIDGE, *ABLATION, LETTER, CODI, SINGLES)
