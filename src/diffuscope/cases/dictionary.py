"""A data dictionary: what the columns of a model's tables are, as a table that people read and fill in."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError, InputErrors
from diffuscope.files.place import FILE, check_place
from diffuscope.files.put import put_text
from diffuscope.files.sheet import Line, read_sheet
from diffuscope.ports.figures import read_figure
from diffuscope.ports.table import Table

#: Its columns: of the table key and title, then what `diffuscope.ports.table.Column` has.
COLUMNS = ("table", "table title", "name", "title", "unit", "low", "high", "categories", "known")
_NEEDED = ("table", "name")
_BETWEEN = "|"


def write_dictionary(path: Path, tables: Sequence[Table]) -> None:
    """Write the dictionary of some tables as CSV, a row a column; nothing is replaced.

    Raises
    ------
    InputError
        Something is in the way, it cannot be written, or a category has the mark in it that stands between categories.
    """
    check_place(path, FILE, way_out="choose another name")
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for table in tables:
        for column in table.columns:
            if any(_BETWEEN in one for one in column.categories):
                raise InputError(
                    f"a category of {column.name} has a {_BETWEEN} in it, which stands between categories."
                )
            low, high = column.range or ("", "")
            rows.writerow(
                {
                    "table": table.key,
                    "table title": table.name,
                    "name": column.name,
                    "title": column.title,
                    "unit": column.unit,
                    "low": low,
                    "high": high,
                    "categories": _BETWEEN.join(column.categories),
                    "known": column.known,
                }
            )
    put_text(path, text.getvalue(), replace=False)


def read_dictionary(path: Path) -> list[dict[str, Any]]:
    """Return the tables of a dictionary, as a configuration has them.

    Parameters
    ----------
    path : Path
        CSV or XLSX; all columns but ``table`` and ``name`` may be left out.

    Raises
    ------
    InputError
        It cannot be read, lacks a column, or has rows that say what cannot be, all of which are named.
    """
    sheet = read_sheet(path)
    for name in _NEEDED:
        if name not in sheet.heads:
            raise InputError(f"{sheet.name} has no column {name}: a dictionary has {', '.join(COLUMNS)}.")
    if unknown := [head for head in sheet.heads if head not in COLUMNS]:
        raise InputError(f"{sheet.name} has a column “{unknown[0]}”: a dictionary has {', '.join(COLUMNS)}.")
    tables: dict[str, dict[str, Any]] = {}
    wrong = []
    for line in sheet.lines:
        try:
            key, title, column = _column(line)
        except InputError as error:
            wrong.append(f"{sheet.name}, line {line.number}: {error}.")
            continue
        table = tables.setdefault(key, {"key": key, "name": title or key, "columns": []})
        table["columns"].append(column)
    if wrong:
        raise InputErrors(*wrong)
    return [*tables.values()]


def _figure(text: str, line: Line) -> float | None:
    return read_figure(text, decimal_commas=line.decimal_commas) if text else None


def _column(line: Line) -> tuple[str, str, dict[str, Any]]:
    said = {name: line.cells.get(name, "").strip() for name in COLUMNS}
    for name in _NEEDED:
        if not said[name]:
            raise InputError(f"it has no {name}")
    low, high = (_figure(said[name], line) for name in ("low", "high"))
    if (low is None) != (high is None) or (low is not None and high is not None and low > high):
        raise InputError(f"“{said['low']}” to “{said['high']}” is no range: give both ends as numbers, or none")
    if (known := said["known"] or "before") not in ("before", "after"):
        raise InputError(f"known is before or after (surgery), not “{known}”")
    column: dict[str, Any] = {name: said[name] for name in ("name", "title", "unit") if said[name]}
    column |= {"range": [low, high]} if low is not None else {}
    if categories := [one.strip() for one in said["categories"].split(_BETWEEN) if one.strip()]:
        column["categories"] = categories
    return said["table"], said["table title"], column | {"known": known}
