"""One page of A4: places in mm, lines of text that fit, bars and a gauge."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from diffuscope.exports.report.fonts import Letters, font_folder
from diffuscope.exports.report.hues import AGAINST, FOR, NEITHER

#: Stands on every report, in large.
NOT_FOR_DIAGNOSIS = "Research use, not for diagnosis"
#: mm.
WIDTH, HEIGHT, MARGIN = 210.0, 297.0, 12.0
FOOT = HEIGHT - MARGIN - 4.0
_INNER = WIDTH - 2 * MARGIN
#: Red, green, blue.
INK, QUIET, RULE, WARN = (28, 32, 38), (105, 112, 122), (208, 213, 219), (150, 44, 10)
Colour = tuple[int, int, int]
# mm of a point, and of a line of text by its size.
_POINT, _LINE = 25.4 / 72, 1.22
# Lines of a text on model or run, at most.
_LINES = 8
# Lines between two texts.
_APART = 0.4


class Page:
    """A page that is drawn on.

    Parameters
    ----------
    title, date : str
        Of the file; without a date it is of no day, so that a report written twice is the same.
    """

    def __init__(self, title: str, date: str) -> None:
        from fpdf import FPDF

        self.pdf = FPDF(format="A4")
        self.pdf.set_auto_page_break(False)
        self.pdf.set_margin(0)
        self.pdf.c_margin = 0
        self.letters = Letters(self.pdf, font_folder())
        self.pdf.set_creation_date(_moment(date))
        self.pdf.set_title(self.letters.spell(title))
        self.pdf.add_page()

    def font(self, size: float, colour: Colour = INK, *, bold: bool = False) -> None:
        """Choose what is written with next; the size in points."""
        self.pdf.set_font(self.letters.family, "B" if bold else "", size)
        self.pdf.set_text_color(*colour)

    @property
    def line(self) -> float:
        """Height of a line of text, mm."""
        return float(self.pdf.font_size_pt) * _POINT * _LINE

    def text(
        self, x: float, y: float, text: str, *, width: float = 0.0, align: str = "L", keeps_end: bool = False
    ) -> None:
        """Write one line with its top at `y`, cut where it is wider than `width`, which 0 does not bound.

        It is cut at its end, or so that it `keeps_end`: names of features differ there.
        """
        text = self.letters.spell(text)
        if width:
            text = self._cut(text, width, keeps_end)
        self.pdf.set_xy(x, y)
        self.pdf.cell(width or None, self.line, text, align=align)

    def lines(self, text: str, width: float) -> list[str]:
        """Return a text as lines of a width."""
        found: Any = self.pdf.multi_cell(
            width, self.line, self.letters.spell(text), dry_run=True, output="LINES", align="L"
        )
        return list(found)

    def paragraph(self, x: float, y: float, text: str, width: float) -> float:
        """Write a text in lines of a width, and return where the next one may begin."""
        for line in self.lines(text, width):
            self.text(x, y, line)
            y += self.line
        return y

    def fitted(self, x: float, y: float, texts: Sequence[str], width: float, bottom: float) -> None:
        """Write texts below each other down to `bottom`: smaller where they are long, and the last ones counted then.

        Parameters
        ----------
        x, y, width, bottom : float
            mm.
        texts : sequence of str
            Each begins a line of its own.
        """
        for size in (7.5, 7.0, 6.5, 6.0, 5.5):
            self.font(size)
            blocks = [self.lines(text, width) for text in texts]
            room = math.floor((bottom - y) / self.line)
            if sum(map(len, blocks)) + _APART * len(blocks) <= room:
                break
        else:
            kept, used = 0, 0.0
            while kept < len(blocks) and used + len(blocks[kept]) + _APART <= room - 1:
                used += len(blocks[kept]) + _APART
                kept += 1
            left = len(blocks) - kept
            blocks = [*blocks[:kept], [f"{left} more {'is' if left == 1 else 'are'} in the result's run record."]]
        for block in blocks:
            for line in block:
                self.text(x, y, line)
                y += self.line
            y += _APART * self.line

    def heading(self, x: float, y: float, text: str, width: float) -> float:
        """Write the title of a part with a rule above it, and return where the part begins."""
        self.pdf.set_draw_color(*RULE)
        self.pdf.set_line_width(0.25)
        self.pdf.line(x, y, x + width, y)
        self.font(9, bold=True)
        self.text(x, y + 1.4, text, width=width)
        return y + 1.4 + self.line + 0.8

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fill a rectangle."""
        self.pdf.set_fill_color(*colour)
        self.pdf.rect(x, y, width, height, style="F")

    def bar(self, x: float, y: float, width: float, share: float, *, signed: bool) -> None:
        """Draw a bar in a field: from its middle to the right for what speaks for, to the left for what against.

        Parameters
        ----------
        x, y, width : float
            Of the field, mm.
        share : float
            −1 to 1 of half of the field; of what has no sign 0 to 1 of all of it, from its left.
        signed : bool
            Which of the two.
        """
        zero, full = (x + width / 2, width / 2) if signed else (x, width)
        length = abs(share) * full
        colour = NEITHER if not signed else FOR if share >= 0 else AGAINST
        self.box(zero if share >= 0 else zero - length, y, length, 2.2, colour)
        self.box(zero - 0.1, y - 0.6, 0.2, 3.4, QUIET)

    def head(self, title: str, under: str, what: str) -> float:
        """Write the band with what no report is for, what this one is, and its title; return where the page begins."""
        self.box(0, 0, WIDTH, 13.0, WARN)
        self.font(15, (255, 255, 255), bold=True)
        self.text(MARGIN, 3.2, NOT_FOR_DIAGNOSIS)
        self.font(8, (255, 255, 255))
        self.text(MARGIN, 4.8, what, width=_INNER, align="R")
        self.font(16, bold=True)
        self.text(MARGIN, 17.0, title[:1].upper() + title[1:], width=_INNER)
        self.font(9, QUIET)
        self.text(MARGIN, 24.4, under, width=_INNER)
        return 31.0

    def about(self, x: float, y: float, width: float, heading: str, lines: Sequence[tuple[str, str]]) -> float:
        """Write names and texts below a heading, and return where the next may begin; what is cut ends with dots."""
        y = self.heading(x, y, heading, width)
        for name, text in lines:
            self.font(7.5, QUIET)
            self.text(x, y, name, width=17.0)
            self.font(7.5)
            wrapped = self.lines(text, width - 18.0)
            if len(wrapped) > _LINES:
                wrapped = [*wrapped[: _LINES - 1], f"{wrapped[_LINES - 1].rstrip()} …"]
            for line in wrapped:
                self.text(x + 18.0, y, line)
                y += self.line
            y += 0.5
        return y

    def foot(self, by: str) -> None:
        """Say once more what it is not for, and who wrote it."""
        self.font(6.5, QUIET)
        self.text(MARGIN, FOOT + 1.0, f"{NOT_FOR_DIAGNOSIS}. {by}")

    def picture(self, x: float, y: float, size: tuple[float, float], jpeg: bytes) -> None:
        """Place a picture of a width and height."""
        self.pdf.image(io.BytesIO(jpeg), x, y, *size)

    def to_bytes(self) -> bytes:
        """Return the file; there is one page, whatever was drawn."""
        if self.pdf.pages_count != 1:
            raise AssertionError(f"a report of {self.pdf.pages_count} pages")
        return bytes(self.pdf.output())

    def _cut(self, text: str, width: float, keeps_end: bool) -> str:
        dots, kept = self.letters.spell("…"), len(text)
        shown = text
        while kept and self.pdf.get_string_width(shown) > width:
            kept -= 1
            end = kept // 2 if keeps_end else 0
            shown = text[: kept - end].rstrip() + dots + text[len(text) - end :]
        return shown


def _moment(date: str) -> datetime:
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
