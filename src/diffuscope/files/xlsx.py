"""The first sheet of an XLSX file as text: what is shown there, not what it is computed from."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.files.read import TEXT, read_bytes

# Of all that is packed into it, unpacked; and cells up to the last one of each row.
_UNPACKED, _CELLS = 400_000_000, 20_000_000


def read_xlsx(path: Path) -> tuple[list[list[str]], int]:
    """Return the rows of the first sheet, and how many sheets there are.

    Numbers stand as numbers, what is shown in percent as ``40%``, days as ``2024-03-01``, true and false as TRUE and
    FALSE; text stays as it is, so that ``007`` does.

    Raises
    ------
    InputError
        It is no such file, holds more than any that is meant, or a formula whose value is not stored.
    OSError
        It is not there, or may not be read.
    """
    stored = read_bytes(path, most=TEXT)
    try:
        import openpyxl
    except ImportError as error:
        raise InputError(
            f'{path.name} needs openpyxl: pip install "diffuscope[scoring]", or save it as CSV in UTF-8.'
        ) from error
    try:
        _check_size(stored, path)
        book = openpyxl.load_workbook(io.BytesIO(stored), read_only=True)
        rows = _rows(book, path)
        if any(cell.data_type == "f" for row in rows for cell in row):
            computed = _rows(openpyxl.load_workbook(io.BytesIO(stored), read_only=True, data_only=True), path)
            rows = [
                [_computed(cell, value, path) for cell, value in zip(row, values, strict=True)]
                for row, values in zip(rows, computed, strict=True)
            ]
        return [[_text(cell) for cell in row] for row in rows], len(book.sheetnames)
    except InputError:
        raise
    # Of a damaged file its parsers raise whatever they stumble on.
    except Exception as error:
        raise InputError(f"{path.name} cannot be read as XLSX: save it again, or as CSV in UTF-8.") from error


def _check_size(stored: bytes, path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(stored)) as packed:
        if sum(one.file_size for one in packed.infolist()) > _UNPACKED:
            raise InputError(f"{path.name} unpacks to more than {_UNPACKED / 1e6:.0f} MB: save it as CSV in UTF-8.")


def _rows(book: Any, path: Path) -> list[list[Any]]:
    """Return the cells of the first sheet, row by row."""
    sheet = book.worksheets[0]
    # What it states of its size may be wrong, and is made anew.
    sheet.reset_dimensions()
    rows, count = [], 0
    for row in sheet.iter_rows():
        count += len(row)
        if count > _CELLS:
            raise InputError(f"{path.name} has more than {_CELLS} cells: save what is meant as CSV in UTF-8.")
        rows.append(list(row))
    return rows


def _computed(cell: Any, value: Any, path: Path) -> Any:
    if cell.data_type == "f" and value.value is None:
        raise InputError(
            f"{path.name}, {cell.coordinate}: its formula has no stored value; open and save it in a spreadsheet "
            "program."
        )
    return value


def _text(cell: Any) -> str:
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
        case int() | float() if _is_percent(str(cell.number_format)):
            # To the digits of a double, so that 0.07 is 7 and not 7.000000000000001.
            return f"{value * 100:.15g}%"
        case int() | float() if value == int(value) and abs(value) < 1e15:
            # Shown with zeros in front, as numbers of patients are.
            shown = str(cell.number_format)
            return str(int(value)).zfill(len(shown) if re.fullmatch("0+", shown) else 1)
        case _:
            return str(value)


def _is_percent(shown: str) -> bool:
    """Whether a format shows a hundredfold with % behind it; one in quotes or after a backslash is a mere letter."""
    return "%" in re.sub(r'"[^"]*"|\\.|_.', "", shown.split(";", maxsplit=1)[0])


def trimmed(rows: list[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield rows without what is empty at their end, and their number from 1; rows of nothing are left out."""
    for number, row in enumerate(rows, start=1):
        length = max((place for place, text in enumerate(row, start=1) if text.strip()), default=0)
        if length:
            yield number, row[:length]
