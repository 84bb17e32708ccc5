"""The report of a slide's result as one page of PDF, A4, whose text is text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.exports.report.page import FOOT, MARGIN, QUIET, WARN, WIDTH, Page
from diffuscope.exports.report.pdf import need as need_of_case
from diffuscope.exports.report.slide import SlideReport, check_source, slide_report

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

# mm: of the page, of its left column, and between the two.
_INNER, _LEFT, _GAP = WIDTH - 2 * MARGIN, 98.0, 6.0
# The pictures are at most so high, and columns of figures at most so many.
_HIGHEST, _COLUMNS = 132.0, 3


def need(request: Request) -> int:
    """Return how many bytes a report has at most.

    Raises
    ------
    InputError
        What writes PDFs is not installed; the source is another slide.
    """
    if request.source is not None:
        check_source(request.result, request.source)
    return need_of_case(request)


def write(part: Path, request: Request) -> None:
    """Write the report."""
    part.write_bytes(render(slide_report(request)))


def render(report: SlideReport) -> bytes:
    """Return the page as the bytes of a PDF."""
    page = Page(f"{report.title}: {report.under}", report.under.rpartition(", ")[2])
    y = page.head(report.title, report.under, "Report")
    page.font(8, WARN)
    for text in report.warnings:
        y = page.paragraph(MARGIN, y, text, _INNER) + 0.4
    y = _pictures(page, report, y + 1.4)
    x, width = MARGIN + _LEFT + _GAP, _INNER - _LEFT - _GAP
    beside = page.about(x, y, width, "Model and run", report.about)
    y = max(_figures(page, report, y), beside)
    top = page.heading(MARGIN, y + 2.0, "What to mind", _INNER)
    page.fitted(MARGIN, top, report.notices or ["The run told nothing."], _INNER, FOOT)
    page.foot("Written by Diffuscope from what a model made.")
    return page.to_bytes()


def _pictures(page: Page, report: SlideReport, y: float) -> float:
    width, height = report.sheet.size
    scale = min(_INNER / width, _HIGHEST / height)
    page.picture(MARGIN, y, (width * scale, height * scale), report.jpeg)
    y += height * scale + 1.0
    if report.pictured:
        page.font(6.5, QUIET)
        y = page.paragraph(MARGIN, y, report.pictured, _INNER)
    return y + 1.5


def _figures(page: Page, report: SlideReport, y: float) -> float:
    y = page.heading(MARGIN, y, "Figures of the region", _LEFT)
    if not report.lines:
        page.font(7.5, QUIET)
        return page.paragraph(MARGIN, y, "None were measured.", _LEFT)
    shown = report.header[:_COLUMNS]
    name = _LEFT - 24.0 * max(1, len(shown)) if len(shown) > 1 else _LEFT - 40.0
    field = (_LEFT - name) / len(shown)
    page.font(7.0, QUIET)
    for number, text in enumerate(shown):
        page.text(MARGIN + name + number * field + 1.0, y, text, width=field - 1.0, align="R")
    y += page.line + 0.4
    for first, *values in report.lines:
        page.font(7.5)
        page.text(MARGIN, y, first, width=name)
        for number, text in enumerate(values[:_COLUMNS]):
            page.text(MARGIN + name + number * field, y, text, width=field, align="R")
        y += page.line + 0.15
    if len(report.header) > _COLUMNS:
        page.font(6.5, QUIET)
        y = page.paragraph(MARGIN, y, f"{len(report.header) - _COLUMNS} more columns are in the table.", _LEFT)
    return y
