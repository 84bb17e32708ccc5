"""What a table over many slides says: a row a slide, and one more for each further stain or region of a result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from diffuscope.ports.score import Score

if TYPE_CHECKING:
    from diffuscope.cases.slides import Slide
    from diffuscope.results.result import Result

Status = Literal["done", "failed", "cancelled", "waiting"]
Row = dict[str, Any]

#: Columns before the figures, and behind them.
FIRST, LAST = ("slide", "files", "status", "error", "region"), ("notices", "result", "use")
#: It travels with every row, also where the table is cut up.
USE = "made by a model; research only, not for diagnosis"
# Millionths are far below what any score means.
_DIGITS = 6


def plain_row(slide: Slide, status: Status, error: str = "") -> Row:
    """Return the row of a slide that has no whole result, and why."""
    region = str(slide.region) if slide.region is not None else ""
    return {
        "slide": slide.name,
        "files": slide.files,
        "status": status,
        "error": error.replace("\n", " "),
        "region": region,
        "notices": "",
        "result": "",
        "use": USE,
    }


def result_rows(slide: Slide, result: Result) -> list[Row]:
    """Return the rows of a slide that has a whole result: of each stain and region one, and one where it has none."""
    about = plain_row(slide, "done")
    about |= {
        "region": result.record["parameters"].get("region") or "",
        "notices": " ".join(result.record.get("notices", ())),
        "result": result.path.name,
    }
    beside = dict(_beside(result))
    # That it is complete is what its status says.
    measured = [{key: value for key, value in row.items() if key != "complete"} for row in result.table]
    return [about | row | beside for row in measured or [{}]]


def _beside(result: Result) -> Iterator[tuple[str, Any]]:
    """Yield names and values of what there is beside images: of a score its numbers, of all else its words."""
    for key, scored in result.scores.items():
        low, high = scored.over_guides or (None, None)
        for name, value in ((key, scored.mean), (f"{key}_low", low), (f"{key}_high", high)):
            yield name, None if value is None or math.isnan(value) else round(value, _DIGITS)
        if scored.decision:
            yield f"{key}_decision", scored.decision
            yield f"{key}_threshold", scored.port.threshold
    scores = {port.name for port in result.others if isinstance(port, Score)}
    yield from ((name, words) for name, words in result.summaries if name not in scores)


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of a table that has some rows: figures in the order in which they first come."""
    known = dict.fromkeys(name for row in rows for name in row)
    return [*FIRST, *(name for name in known if name not in {*FIRST, *LAST}), *LAST]


def figures(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of a row as text, as `diffuscope.measurement.table.readable` takes them."""
    own = {name: value for name, value in row.items() if name not in {*FIRST, *LAST}}
    return {name: "" if value is None else str(value) for name, value in own.items()}
