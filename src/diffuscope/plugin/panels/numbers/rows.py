"""The measurements of all results that a viewer shows, as one table."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.measurement.table import with_density
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.views.naming import label_of
from diffuscope.results.result import open_result

RESULT = "result"


def rows_of(viewer: Any) -> list[dict[str, str]]:
    """Return a row for each region and stain of each result that a viewer shows, the lowest result first.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.

    Returns
    -------
    list of dict
        Text by column, all with the same columns: ``result`` (the name that a user gave it, else its folder's), those
        of its ``table.csv``, and ``positive_per_mm2``; empty where a result has no such number.
    """
    folders = dict.fromkeys(str(own["result"]) for layer in viewer.layers if (own := own_metadata(layer)).get("result"))
    rows: list[dict[str, str]] = []
    for folder in folders:
        with suppress(InputError):  # it may be gone from the disk
            name = label_of(viewer, folder) or Path(folder).name.removesuffix(".ome.zarr")
            rows += [{RESULT: name, **row} for row in with_density(open_result(folder).table)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [{column: row.get(column, "") for column in columns} for row in rows]
