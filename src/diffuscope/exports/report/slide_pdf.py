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
# Lines of texts, at most: pictures give way to them.
_LINES = 16


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
    top = y + 1.4
    y = _texts(page, report, top)
    y = _pictures(page, report, y, _HIGHEST - (y - top))
    x, width = MARGIN + _LEFT + _GAP, _INNER - _LEFT - _GAP
    beside = page.about(x, y, width, "Model and run", report.about)
    y = max(_figures(page, report, y) if report.is_measured else y, beside)
    top = page.heading(MARGIN, y + 2.0, "What to mind", _INNER)
    page.fitted(MARGIN, top, report.notices or ["The run told nothing."], _INNER, FOOT)
    page.foot("Written by Diffuscope from what a model made.")
    return page.to_bytes()


def _texts(page: Page, report: SlideReport, y: float) -> float:
    left = _LINES
    for name, text, mark in report.texts:
        y = page.heading(MARGIN, y, name[:1].upper() + name[1:], _INNER)
        page.font(8)
        lines = [line for part in text.splitlines() for line in page.lines(part, _INNER)]
        for line in lines[:left]:
            page.text(MARGIN, y, line)
            y += page.line
        page.font(6.5, QUIET)
        cut = len(lines) - left
        told = f"{mark} {cut} more line{'s are' if cut > 1 else ' is'} in the result." if cut > 0 else mark
        y = page.paragraph(MARGIN, y + 0.4, told, _INNER) + 1.4
        left = max(0, left - len(lines))
    return y


def _pictures(page: Page, report: SlideReport, y: float, highest: float) -> float:
    width, height = report.sheet.size
    scale = min(_INNER / width, highest / height)
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
