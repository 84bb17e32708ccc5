"""The measurements of all results that a viewer shows, as one table, from the thresholds that were set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diffuscope.errors import InputError
from diffuscope.measurement.table import as_text, with_density
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.objects.threshold import threshold_set
from diffuscope.plugin.layers.views.naming import given_name, result_name
from diffuscope.plugin.layers.views.pair import layers_of_folder
from diffuscope.ports.stains import find_stains
from diffuscope.results.result import Result, open_result

if TYPE_CHECKING:
    from diffuscope.measurement.cells import Cells  # brings scipy

RESULT = "result"
# What somebody calls a region says more than its corners.
_NAMED = ("region_name", "region_class")
_FIRST = (RESULT, *_NAMED)
_CELLS = "cells"


@dataclass(frozen=True)
class Asked:
    """A result whose numbers are wanted.

    Attributes
    ----------
    folder, name : str
        Where it is, what it is called.
    threshold : float or None
        That was set; None: its own.
    cells : dict of str to Cells
        By stain, what was measured in outlines of cells.
    """

    folder: str
    name: str
    threshold: float | None
    cells: dict[str, Cells] = field(default_factory=dict)


def keep_cells(viewer: Any, folder: str, stain: str, cells: Cells) -> None:
    """Keep with the layers of a result what was measured in outlines of cells."""
    for layer in layers_of_folder(viewer, folder):
        own = own_metadata(layer)
        own[_CELLS] = {**own.get(_CELLS, {}), stain: cells}


def results_in(viewer: Any) -> list[Asked]:
    """Return the results that a viewer shows, the lowest first."""
    folders = dict.fromkeys(str(own["result"]) for layer in viewer.layers if (own := own_metadata(layer)).get("result"))
    return [
        Asked(
            folder,
            given_name(viewer, folder) or result_name(folder),
            threshold_set(viewer, folder),
            next(
                (own[_CELLS] for layer in layers_of_folder(viewer, folder) if _CELLS in (own := own_metadata(layer))),
                {},
            ),
        )
        for folder in folders
    ]


def rows_of(asked: Sequence[Asked]) -> list[dict[str, str]]:
    """Return a row for each region and stain of some results; those with another threshold are counted anew.

    Parameters
    ----------
    asked : sequence of Asked
        As of `results_in`.

    Returns
    -------
    list of dict
        Text by column, all with the same columns: ``result`` (the name that a user gave it, else its folder's), those
        of its ``table.csv`` and of regions that were measured, ``positive_per_mm2``, and where cells were outlined how
        many there are and are positive; empty where a result has no such number.
    """
    from diffuscope.measurement.measurements import measured_at  # its room brings scipy

    rows: list[dict[str, str]] = []
    for one in asked:
        with suppress(InputError):  # it may be gone from the disk
            result = measured_at(open_result(one.folder), one.threshold)
            counted = [_with_cells(row, result, one.cells) for row in with_density(result.table)]
            rows += [{RESULT: one.name, **row} for row in (*counted, *result.regions)]
    found = dict.fromkeys(column for row in rows for column in row)
    columns = [RESULT, *(one for one in _NAMED if one in found), *(one for one in found if one not in _FIRST)]
    return [{column: row.get(column, "") for column in columns} for row in rows]


def _with_cells(row: dict[str, str], result: Result, cells: dict[str, Cells]) -> dict[str, str]:
    """Return a row of a stain with its cells, positive above the threshold of that row."""
    stain = row.get("stain") or next((one.name for one in find_stains(result.ports)), "")
    if stain not in cells:
        return row
    measured = cells[stain].row(float(row["threshold_od"]), area_mm2=float(row["tissue_area_mm2"]))
    return row | as_text([measured])[0]
