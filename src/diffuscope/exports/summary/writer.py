"""The table and the page of many slides, put in place anew as slides come to an end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from diffuscope.exports.summary.folder import PAGE, TABLE
from diffuscope.exports.summary.page import render
from diffuscope.exports.summary.rows import Row, columns, plain_row, result_rows
from diffuscope.exports.summary.thumbnails import Thumbnail, thumbnails
from diffuscope.files.put import put_text
from diffuscope.measurement.measurements import write_csv

if TYPE_CHECKING:
    from diffuscope.cases.slides import Slide
    from diffuscope.exports.summary.rows import Status
    from diffuscope.files.claim import Claim
    from diffuscope.results.result import Result

# Seconds between two pages, which hold pictures of all slides; and the most of a run's time that they may take.
_EVERY, _SHARE = 10.0, 0.05


class Writer:
    """What is said of each slide, and where that is written.

    Parameters
    ----------
    folder : Path
        Of the results.
    claim : Claim
        What makes this process the one that writes there.
    record : mapping
        Of the run over all slides.
    slides : sequence of Slide
        In their order.
    """

    def __init__(self, folder: Path, claim: Claim, record: Mapping[str, Any], slides: Sequence[Slide]) -> None:
        self._folder, self._claim, self._record = folder, claim, record
        self._rows: dict[str, list[Row]] = {slide.name: [plain_row(slide, "waiting")] for slide in slides}
        self._pictures: dict[str, Sequence[Thumbnail]] = {}
        self._next_page = 0.0

    @property
    def rows(self) -> list[Row]:
        """Of all slides, in their order."""
        return [row for own in self._rows.values() for row in own]

    def count(self, status: Status) -> int:
        """Return how many slides are in a state."""
        return sum(1 for rows in self._rows.values() if rows[0]["status"] == status)

    def add(self, slide: Slide, status: Status, error: str = "") -> None:
        """Say of a slide that it has no whole result, and why."""
        self._rows[slide.name] = [plain_row(slide, status, error)]

    def add_result(self, slide: Slide, result: Result) -> None:
        """Take the figures and pictures of a whole result."""
        self._rows[slide.name] = result_rows(slide, result)
        self._pictures[slide.name] = thumbnails(result)

    def write(self, *, last: bool = False) -> None:
        """Write the table, and the page where it is time for it, or this is the last.

        Raises
        ------
        InputError
            The disk is full, or another process has taken the folder over.
        """
        self._claim.check()
        rows = self.rows
        heads = columns(rows)
        table = [{name: row.get(name) for name in heads} for row in rows]
        write_csv(table, self._folder / TABLE, replace=True)
        begun = monotonic()
        if last or begun >= self._next_page:
            put_text(self._folder / PAGE, render(rows, self._record, self._pictures), replace=True)
            self._next_page = monotonic() + max(_EVERY, (monotonic() - begun) / _SHARE)


def record_text(record: Mapping[str, Any]) -> str:
    """Return a record as its file holds it."""
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
