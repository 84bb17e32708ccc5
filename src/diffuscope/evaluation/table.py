"""The measurements of a result as people read them: names with units, numbers with sensible digits."""

from __future__ import annotations

from math import isnan

#: Column of the CSV file to (what people call it, digits after the point).
COLUMNS: dict[str, tuple[str, int | None]] = {
    "tissue_area_mm2": ("Tissue area (mm²)", 3),
    "dab_positive_percent": ("DAB-positive area (%)", 1),
    "mean_dab_od": ("Mean DAB in tissue (OD)", 3),
    "positive_objects": ("Positive objects", 0),
    "threshold_od": ("Threshold (OD)", 3),
    "min_object_um2": ("Smallest object (µm²)", 1),
    "um_per_px": ("µm/px", 4),
    "complete": ("Complete", None),
}


def readable(table: list[dict[str, str]]) -> tuple[list[str], list[list[str]]]:
    """Turn the rows of the CSV file on their side: one line a quantity, one column a region (and stain).

    Parameters
    ----------
    table : list of dict
        One per region and stain, text by column; the columns ``region`` and, where there are several stains, ``stain``
        name it.

    Returns
    -------
    header : list of str
        Names of the regions, and stains.
    lines : list of list of str
        Name of the quantity, then its value in each region.
    """
    if not table:
        return [], []
    regions = [row.get("region", f"region {number}") for number, row in enumerate(table, start=1)]
    header = [
        f"{region} · {row['stain']}" if "stain" in row else region for region, row in zip(regions, table, strict=True)
    ]
    lines = []
    for column in table[0]:
        if column in {"region", "stain"}:
            continue
        name, digits = COLUMNS.get(column, (column.replace("_", " "), None))
        lines.append([name, *(_number(row[column], digits) for row in table)])
    return header, lines


def _number(text: str, digits: int | None) -> str:
    if digits is None:
        return {"True": "yes", "False": "no"}.get(text, text)
    try:
        value = float(text)
    except ValueError:
        return text or "–"
    return "–" if isnan(value) else f"{value:,.{digits}f}"
