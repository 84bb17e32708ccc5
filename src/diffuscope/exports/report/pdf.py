"""The report of a case as one page of PDF, A4, whose text is text."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.report.contents import Report, contents_of
from diffuscope.exports.report.hues import SPAN
from diffuscope.exports.report.page import FOOT, INK, MARGIN, QUIET, WARN, WIDTH, Page

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

# mm.
_INNER, _GAP = WIDTH - 2 * MARGIN, 6.0
_LEFT = 112.0
_RIGHT = _INNER - _LEFT - _GAP
# Most pictures beside each other, and the side of one.
_ABREAST, _SIDE = 4, 42.0
# Of the contributions, width of the names, and rows: more than five modalities are rare.
_NAME, _ROWS = 44.0, 8


def need(request: Request) -> int:  # noqa: ARG001  it is of one page
    """Return how many bytes a report has at most.

    Raises
    ------
    InputError
        What writes PDFs is not installed.
    """
    if find_spec("fpdf") is None:
        raise InputError('a report as PDF needs fpdf2: pip install "diffuscope[scoring]", or end its name with .html.')
    return 8 * 2**20


def write(part: Path, request: Request) -> None:
    """Write the report."""
    part.write_bytes(render(contents_of(request)))


def render(report: Report) -> bytes:
    """Return the page as the bytes of a PDF."""
    page = Page(f"{report.title}: {report.case or 'case report'}", report.date)
    under = ", ".join(one for one in (report.case, report.date) if one) or "anonymous"
    y = page.head(report.title, under, "Case report")
    page.font(7.5, WARN)
    for text in report.warnings:
        y = page.paragraph(MARGIN, y - 1.0, text, _INNER) + 2.0
    beside = page.about(MARGIN + _LEFT + _GAP, y, _RIGHT, "Model", report.about)
    bottom = max(_score(page, report, y), beside)
    y = _contributions(page, report, bottom + 3.0)
    y = _pictures(page, report, y + 3.0)
    _rest(page, report, y + 3.0)
    page.foot("Written by Diffuscope from what a model found.")
    return page.to_bytes()


def _score(page: Page, report: Report, y: float) -> float:
    y = page.heading(MARGIN, y, f"Probability of {report.classes[1]}", _LEFT)
    page.font(30, bold=True)
    page.text(MARGIN, y - 0.5, report.probability)
    wide = page.pdf.get_string_width(report.probability) + 5.0
    decided, why = report.verdict
    page.font(11, bold=True)
    page.text(MARGIN + wide, y + 2.2, decided, width=_LEFT - wide)
    for size in (8.5, 8.0, 7.5, 7.0, 6.5):
        page.font(size, QUIET)
        if len(page.lines(why, _LEFT - wide)) == 1:
            break
    page.text(MARGIN + wide, y + 7.2, why, width=_LEFT - wide)
    y = _gauge(page, report, y + 15.0)
    for span in report.spans:
        page.font(7.5, bold=True)
        page.text(MARGIN, y, f"{span.low:.2f} to {span.high:.2f}", width=24.0)
        page.font(7.5)
        covers = f"{span.name[:1].upper()}{span.name[1:]}: {span.covers}"
        y = page.paragraph(MARGIN + 24.0, y, covers, _LEFT - 24.0) + 0.6
    return y


def _gauge(page: Page, report: Report, y: float) -> float:
    """Draw 0 to 1 with the intervals one below the other, the threshold through all, and the score on top."""
    rows = max(1, len(report.spans))
    height = 3.4 * rows + 1.0
    page.box(MARGIN, y, _LEFT, height, (238, 241, 244))
    page.font(6, QUIET)
    for number, span in enumerate(report.spans):
        top = y + 1.0 + 3.4 * number
        page.box(MARGIN + span.low * _LEFT, top, max(0.4, (span.high - span.low) * _LEFT), 2.4, SPAN)
    if report.threshold is not None:
        x = MARGIN + report.threshold * _LEFT
        page.box(x - 0.2, y - 1.2, 0.4, height + 2.4, QUIET)
    if not math.isnan(report.score):
        page.box(MARGIN + report.score * _LEFT - 0.6, y - 0.8, 1.2, height + 1.6, INK)
    y += height + 1.2
    page.font(6.5, QUIET)
    for share, align, x in ((0.0, "L", MARGIN), (0.5, "C", MARGIN + _LEFT / 2 - 10), (1.0, "R", MARGIN + _LEFT - 20)):
        page.text(x, y, f"{share:g}", width=20.0, align=align)
    page.text(MARGIN + 6, y, report.classes[0], width=40.0)
    page.text(MARGIN + _LEFT - 46, y, report.classes[1], width=40.0, align="R")
    if report.threshold is not None:
        x = MARGIN + report.threshold * _LEFT
        page.text(min(max(x - 20, MARGIN), MARGIN + _LEFT - 40), y - height - 5.2, "threshold", width=40.0, align="C")
    return y + 4.2


def _contributions(page: Page, report: Report, y: float) -> float:
    if not report.contributions:
        return y - 3.0
    y = page.heading(MARGIN, y, "What the score rests on", _INNER)
    name, field = _NAME, (_INNER - _NAME) / len(report.measures)
    page.font(7.5, bold=True)
    for number, measure in enumerate(report.measures):
        page.text(MARGIN + name + number * field, y, measure.heading, width=field)
    y += page.line + 0.6
    for one in report.contributions[:_ROWS]:
        page.font(7.5)
        page.text(MARGIN, y, one.name, width=name - 2)
        for k, (measure, value) in enumerate(zip(report.measures, one.values, strict=True)):
            x = MARGIN + name + k * field
            page.font(7.5, INK if value is not None else QUIET)
            page.text(x, y, measure.text(value), width=14.0)
            if value is not None:
                page.bar(x + 15.0, y + 0.5, field - 19.0, value / measure.most, signed=measure.signed)
        y += 4.0
    page.font(6.5, QUIET)
    return page.paragraph(MARGIN, y + 0.4, report.meaning, _INNER)


def _pictures(page: Page, report: Report, y: float) -> float:
    if not report.pictured:
        return y - 3.0
    y = page.heading(MARGIN, y, report.pictures_heading, _INNER)
    step = _SIDE + (_INNER - _ABREAST * _SIDE) / (_ABREAST - 1)
    for number, picture in enumerate(report.pictures[:_ABREAST]):
        x = MARGIN + number * step
        page.picture(x, y, (_SIDE, _SIDE), picture.jpeg)
        page.font(7.5, bold=True)
        page.text(x, y + _SIDE + 0.8, picture.title, width=_SIDE)
        page.font(6.5, QUIET)
        page.text(x, y + _SIDE + 4.4, picture.size, width=_SIDE)
        page.text(x, y + _SIDE + 7.4, picture.place, width=_SIDE)
    y += _SIDE + 11.2 if report.pictures else 0.0
    left = len(report.pictures) - _ABREAST
    page.font(6.5, QUIET)
    return page.paragraph(MARGIN, y, report.pictured + (f" {left} more are not shown." if left > 0 else ""), _INNER)


def _rest(page: Page, report: Report, y: float) -> None:
    """Fill what is left: at left what was missing and what was told, at right the values."""
    left = (_INNER - _GAP) * 0.42 if report.tables else _INNER
    top = page.heading(MARGIN, y, "What was missing, and what to mind", left)
    told = [report.lacks, *report.notices]
    page.fitted(MARGIN, top, told, left, FOOT)
    if report.tables:
        x, width = MARGIN + left + _GAP, _INNER - left - _GAP
        _values(page, report, x, page.heading(x, y, "Values that were used", width), width)


def _values(page: Page, report: Report, x: float, y: float, width: float) -> None:
    """Write every value, in one or more columns of lines as large as they can be."""
    lines: list[tuple[str, str]] = []
    for name, values in report.tables:
        lines += [(name, ""), *values]
    for columns, size in ((1, 7.5), (2, 7.0), (2, 6.0), (3, 5.5), (3, 4.5), (4, 4.0)):
        page.font(size)
        rows = max(1, int((FOOT - y) / page.line))
        if rows * columns >= len(lines):
            break
    else:
        left = len(lines) - rows * columns + 1
        lines = [*lines[: rows * columns - 1], (f"{left} more are in the run record", "")]
    rows = min(rows, math.ceil(len(lines) / columns))
    field = width / columns
    for number, (name, value) in enumerate(lines):
        column, row = divmod(number, rows)
        left_edge, top = x + column * field, y + row * page.line
        page.font(size, bold=not value)
        wide = field - 2.0 if not value else (field - 2.0) * 0.66
        page.text(left_edge, top, name, width=wide, keeps_end=True)
        if value:
            page.text(left_edge + wide, top, value, width=field - 2.0 - wide, align="R")
