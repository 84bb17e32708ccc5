"""The measurements of a result as people read them: names with units, numbers with sensible digits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import floor, isnan, log10
from typing import Any

#: Column of the CSV file to (what people call it, digits after the point).
COLUMNS: dict[str, tuple[str, int | None]] = {
    "tissue_area_mm2": ("Tissue area (mm²)", 3),
    "dab_positive_percent": ("DAB-positive area (%)", 1),
    "mean_dab_od": ("Mean DAB in tissue (OD)", 3),
    "positive_objects": ("Positive objects", 0),
    "positive_per_mm2": ("Positive objects per mm²", 0),
    "cells": ("Cells, as outlined", 0),
    "cells_per_mm2": ("Cells per mm²", 0),
    "positive_cells": ("Positive cells", 0),
    "positive_cells_percent": ("Positive cells (% of all)", 1),
    "positive_cells_per_mm2": ("Positive cells per mm²", 0),
    "samples": ("Samples", 0),
    "threshold_od": ("Threshold (OD)", 3),
    "min_object_um2": ("Smallest object (µm²)", 1),
    "um_per_px": ("µm/px", 4),
    "area_um2": ("Tissue area (µm²)", 0),
    "tissue_percent": ("Tissue (% of the region)", 1),
    "vessel_area_percent": ("Vessel area (%)", 1),
    "total_load": ("Total load (load · µm²)", 0),
    "mean_load": ("Mean load", 2),
    "mean_distance_um": ("Tissue from vessel (µm)", 1),
    "load_distance_um": ("Load from vessel (µm)", 1),
    "vessel_threshold": ("Vessel above", 1),
    "complete": ("Complete", None),
    "region_name": ("Name", None),
    "region_class": ("Class", None),
}
_LONG = re.compile(r"-?\d+\.\d{4,}")
# Digits after the point, at most.
_FINEST = 9
#: They say what a row is of.
OF_ROW = ("region", "region_name", "region_class", "stain")
# Ends of what each of several samples gives by itself.
_LOW, _HIGH = "_low", "_high"
_EACH = "– each sample"


def readable(table: list[dict[str, str]]) -> tuple[list[str], list[list[str]]]:
    """Turn the rows of the CSV file on their side: one line a quantity, one column a region (and stain).

    Parameters
    ----------
    table : list of dict
        One per region and stain, text by column; the columns ``region``, or ``region_name`` and ``region_class``, and
        where there are several stains ``stain`` name it.

    Returns
    -------
    header : list of str
        Names of the regions, and stains.
    lines : list of list of str
        Name of the quantity, then its value in each region. What samples give by themselves is a line below it,
        from the lowest to the highest.
    """
    if not table:
        return [], []
    header = [title_of(row) or f"region {number}" for number, row in enumerate(table, start=1)]
    lines = []
    for column in table[0]:
        if column in OF_ROW or _is_end(column, _LOW) or _is_end(column, _HIGH):
            continue
        name, digits = _column(column)
        lines.append([name, *(_number(row[column], digits) for row in table)])
        if column + _LOW in table[0]:
            lines.append([_EACH, *(_span(row, column, digits) for row in table)])
    return header, lines


def title_of(row: Mapping[str, str]) -> str:
    """Return what a row is of in words: name and class of its region, or where that lies, and the stain."""
    name, category = row.get("region_name") or "", row.get("region_class") or ""
    words = f"{name} ({category})" if name and category and name != category else name or category
    return " · ".join(filter(None, [words or row.get("region", ""), row.get("stain", "")]))


def name_of(column: str) -> str:
    """Return what people call a column of the CSV file."""
    return _column(column)[0]


def value_of(column: str, value: object) -> str:
    """Return a value of a column of the CSV file, a number or its text, with sensible digits; a dash where it is none.

    What is small has more of them, so that it is told from nothing.
    """
    return _number("" if value is None else str(value), _column(column)[1])


def line_of(row: dict[str, str]) -> list[str]:
    """Return the values of a row of the CSV file with sensible digits, in the order of its columns."""
    return [value_of(column, value) for column, value in row.items()]


def with_density(table: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows of the CSV file with the positive objects per mm² of tissue behind their number.

    Rows without objects, and such that have it, come back as they are; of no tissue the density is empty. Tables of
    older results lack it.
    """
    found = []
    for row in table:
        told: dict[str, str] = {}
        for column, value in row.items():
            told[column] = value
            if column == "positive_objects" and "tissue_area_mm2" in row and "positive_per_mm2" not in row:
                area, count = _float(row["tissue_area_mm2"]), _float(value)
                told["positive_per_mm2"] = "" if not area or count is None else f"{count / area:.6g}"
        found.append(told)
    return found


def as_text(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return measured rows as the text of a CSV file that `readable` takes."""
    return [{column: "" if value is None else str(value) for column, value in row.items()} for row in rows]


def _column(column: str) -> tuple[str, int | None]:
    for ending, words in ((_LOW, ", lowest sample"), (_HIGH, ", highest sample")):
        if _is_end(column, ending):
            name, digits = _column(column.removesuffix(ending))
            return name + words, digits
    return COLUMNS.get(column) or _of_curve(column) or (column.replace("_", " "), None)


def _is_end(column: str, ending: str) -> bool:
    return column.endswith(ending) and column.removesuffix(ending) in COLUMNS


def _span(row: Mapping[str, str], column: str, digits: int | None) -> str:
    """Return from the lowest to the highest."""
    ends = [_number(row.get(column + end, ""), digits) for end in (_LOW, _HIGH)]
    return " to ".join(ends) if "–" not in ends else "–"


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _of_curve(column: str) -> tuple[str, int] | None:
    """Return what people call a bin of the penetration curve, ``load_0_10_um`` or ``load_from_100_um``."""
    found = re.fullmatch(r"load_(from_)?([\d.]+)(?:_([\d.]+))?_um", column)
    if found is None:
        return None
    beyond, low, high = found.groups()
    return (f"Load from {low} µm on" if beyond else f"Load at {low} to {high} µm", 2)


def _number(text: str, digits: int | None) -> str:
    if digits is None:
        # a score, or another figure of no table of ours: what is beyond thousandths is for the file
        return f"{float(text):.3f}" if _LONG.fullmatch(text) else {"True": "yes", "False": "no"}.get(text, text)
    try:
        value = float(text)
    except ValueError:
        return text or "–"
    return "–" if isnan(value) else f"{value:,.{_digits(value, digits)}f}"


def _digits(value: float, digits: int) -> int:
    """Return the digits after the point: more where a number would be told as 0 or by one digit, and is none."""
    least = 10.0 ** (1 - digits if digits > 1 else -digits)
    return min(1 - floor(log10(abs(value))), _FINEST) if 0 < abs(value) < least else digits
