"""The measurements of all results that a viewer shows, as one table, from the thresholds that were set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.measurement.table import with_density
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.objects.threshold import threshold_set
from diffuscope.plugin.layers.views.naming import label_of
from diffuscope.results.result import open_result

RESULT = "result"
# What somebody calls a region says more than its corners.
_NAMED = ("region_name", "region_class")
_FIRST = (RESULT, *_NAMED)


@dataclass(frozen=True)
class Asked:
    """A result whose numbers are wanted: its folder, what it is called, the threshold that was set (None: its own)."""

    folder: str
    name: str
    threshold: float | None


def results_in(viewer: Any) -> list[Asked]:
    """Return the results that a viewer shows, the lowest first."""
    folders = dict.fromkeys(str(own["result"]) for layer in viewer.layers if (own := own_metadata(layer)).get("result"))
    return [
        Asked(
            folder,
            label_of(viewer, folder) or Path(folder).name.removesuffix(".ome.zarr"),
            threshold_set(viewer, folder),
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
        of its ``table.csv`` and of regions that were measured, and ``positive_per_mm2``; empty where a result has no
        such number.
    """
    from diffuscope.measurement.measurements import measured_at  # its room brings scipy

    rows: list[dict[str, str]] = []
    for one in asked:
        with suppress(InputError):  # it may be gone from the disk
            result = measured_at(open_result(one.folder), one.threshold)
            rows += [{RESULT: one.name, **row} for row in (*with_density(result.table), *result.regions)]
    found = dict.fromkeys(column for row in rows for column in row)
    columns = [RESULT, *(one for one in _NAMED if one in found), *(one for one in found if one not in _FIRST)]
    return [{column: row.get(column, "") for column in columns} for row in rows]
