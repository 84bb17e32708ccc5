"""A table that came from elsewhere, CSV or XLSX: rows of text under the names of its first line."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.files.commas import decimal_commas
from diffuscope.files.read import delimiter_of, read_text
from diffuscope.files.xlsx import read_xlsx, trimmed

XLSX = ".xlsx"
# More columns than any case has ports, more cells than any cohort has.
_COLUMNS, _CELLS = 5000, 4_000_000


@dataclass(frozen=True)
class Line:
    """A row.

    Attributes
    ----------
    number : int
        Of its line in the file, from 1; of a file with line breaks in cells, of its row.
    cells : mapping of str to str
        By head; what it lacks is empty.
    fault : str
        What is wrong with the row as such: that it has more values than there are heads, or, of text, fewer.
    decimal_commas : bool
        Whether the table shows that its commas are decimal.
    """

    number: int
    cells: Mapping[str, str]
    fault: str = ""
    decimal_commas: bool = False


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table.

    Attributes
    ----------
    path : Path
        Its file.
    heads : tuple of str
        Of its columns.
    lines : tuple of Line
        At least one.
    notices : tuple of str
        What the user should know of how it was read.
    """

    path: Path
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    notices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its file."""
        return self.path.name

    @property
    def first(self) -> str:
        """Head of the first column."""
        return self.heads[0]


def read_sheet(path: Path) -> Sheet:
    """Read a table.

    Of CSV, UTF-8 with or without a mark in front, values are divided by commas, or by semicolons or tabs where the
    first line has no comma; of such files is told whether a number shows that commas are decimal (see
    `diffuscope.files.commas`). Of XLSX the first sheet is taken. Rows and last columns of nothing are left out.

    Parameters
    ----------
    path : Path
        What does not end in ``.xlsx`` is CSV.

    Raises
    ------
    InputError
        It cannot be read, has no row, a column without a name, or two of one.
    """
    notices: tuple[str, ...] = ()
    # A workbook does not keep empty cells at a row's end, of which text has the commas.
    lengths: list[int] = []
    commas = False
    try:
        if path.suffix.lower() == XLSX:
            cells, sheets = read_xlsx(path)
            rows = [*trimmed(cells)]
            notices = (f"{path.name} has {sheets} sheets, of which the first is read.",) if sheets > 1 else ()
        else:
            whole, between = _csv_rows(path)
            rows, lengths = [*trimmed(whole)], [len(row) for row in whole]
            if between != ",":
                commas, first = decimal_commas(rows)
                point = first.replace(",", ".")
                notices = (f"{path.name} has decimal commas: {first} is read as {point}.",) if first else ()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error
    if len(rows) < 2:
        raise InputError(f"{path.name} has no row: give a table with a line of names and a line for each case.")
    (_, names), *rest = rows
    heads = tuple(head.strip() for head in names)
    _check(path, heads, rows)
    lines = (_line(number, row, heads, lengths[number - 1] if lengths else None, commas) for number, row in rest)
    return Sheet(path, heads, tuple(lines), notices)


def _csv_rows(path: Path) -> tuple[list[list[str]], str]:
    """Return the rows of a text, and what divides their values."""
    text = read_text(path)
    try:
        between = delimiter_of(text)
        return [*csv.reader(io.StringIO(text, newline=""), delimiter=between)], between
    except csv.Error as error:
        raise InputError(f"{path.name} cannot be read as a table ({error}): save it as CSV in UTF-8.") from error


def _check(path: Path, heads: tuple[str, ...], rows: list[tuple[int, list[str]]]) -> None:
    if len(heads) > _COLUMNS:
        raise InputError(f"{path.name} has more than {_COLUMNS} columns: leave out those that nobody reads.")
    if sum(len(row) for _, row in rows) > _CELLS:
        raise InputError(f"{path.name} has more than {_CELLS} cells: divide it.")
    for head, count in Counter(heads).items():
        if not head:
            raise InputError(f"{path.name} has a column without a name in its first line: name it, or leave it out.")
        if count > 1:
            raise InputError(f"{path.name} has {count} columns called “{head}”: leave all but one out.")


def _line(number: int, row: list[str], heads: tuple[str, ...], length: int | None, commas: bool) -> Line:
    cells = dict(zip(heads, [*row, *[""] * (len(heads) - len(row))], strict=False))
    fault = "it has more values than the first line has names" if len(row) > len(heads) else ""
    if length is not None and length < len(heads):
        fault = f"it has {length} values where the first line has {len(heads)} names: is the file whole?"
    return Line(number, cells, fault, commas)
