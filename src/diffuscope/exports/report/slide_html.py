"""The report of a slide's result as one HTML file that needs no other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.exports.report.html import fill
from diffuscope.exports.report.slide import check_source, slide_report

if TYPE_CHECKING:
    from diffuscope.exports.request import Request


def need(request: Request) -> int:
    """Return how many bytes a report has at most.

    Raises
    ------
    InputError
        The source is another slide.
    """
    if request.source is not None:
        check_source(request.result, request.source)
    return 8 * 2**20


def write(part: Path, request: Request) -> None:
    """Write the report."""
    part.write_text(fill("slide.html.j2", slide_report(request)), encoding="utf-8")
