"""The page of StainDiffuser's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.reproduce.claims import claims, table
from benchmarks.reproduce.sheet import sheet
from benchmarks.reproduce.staindiffuser.report import HEADINGS, lines
from benchmarks.reproduce.staindiffuser.tasks import CLAIMS, ROWS, Budget, Task

_READING = """## How to read it

Every row trains the same number of steps on the same crops with the same optimiser (AdamW, 6e-4, cosine, averaged
weights), with networks of one set of widths ("{size}"): {steps} steps of {batch} crops of {patch} px on restained
slides, {strip_steps} on strips; a model of several stains takes as many for each stain. Equal steps are the paper's
rule; they are not equal time, which stands beside them (mean of the row's cells, by the clock: also what the machine
did meanwhile). The rate was chosen for StainDiffuser, not for the baselines. One sample at the default quality.
Scores are means over the test slides, then over seeds, ± standard deviation over seeds where there are three. A pixel
is positive from 0.2 OD; "near" is within 10 µm of a positive pixel. `teacher-again` is what the truth itself scores,
asked twice; `no-dab` is the truth without any DAB.
"""
_CLAIMS = """The interval is over tiles, averaged over seeds: it tells how sure a difference is on these slides, not on
others, of which there are two. p is a paired permutation test over the same tiles, corrected for all rows of this
table. The last column counts the (seed, slide) pairs in which the first row is ahead.
"""
_RESTAINED = "Held out by slide: tested on CMU-1-Small-Region and OS-1-detail. The truth is simulated."
_TABLES = {
    "CK8/18": ("Restained slides, CK8/18", _RESTAINED),
    "CD3": ("Restained slides, CD3", _RESTAINED),
    "IHC": (
        "Real strips, haematoxylin to IHC",
        "Leave one strip out, a fold a strip; trained on a picture of 256 px a strip. **Anecdotal.**",
    ),
}


def page(
    found: Sequence[tuple[Task, Mapping[str, Any]]],
    *,
    budget: Budget,
    kind: str,
    notices: Sequence[str],
    cells: int,
) -> str:
    """Return the page of the complete cells, markdown.

    Parameters
    ----------
    found : sequence of (Task, result)
        Complete cells.
    budget : Budget
        Of all of them.
    kind : {"standard", "quick", "full"}
    notices : sequence of str
        What was left out, and why.
    cells : int
        How many there are to be.
    """
    tables = {stain: lines(found, stain) for stain in _TABLES}
    against = claims(tables, CLAIMS, heading="stain", units=("slide", "tile"))
    parts = [_READING.format(**asdict(budget)), f"## Claims\n\n{_CLAIMS}\n{against}\n"]
    for stain, rows in tables.items():
        if rows:
            title, under = _TABLES[stain]
            parts.append(f"## {title}\n\n{under}\n\n{table(rows, HEADINGS, {row.name: row.what for row in ROWS})}\n")
    return sheet("StainDiffuser", parts, kind=kind, done=len(found), cells=cells, notices=notices)
