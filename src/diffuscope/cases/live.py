"""What is selected in the QuPath that runs, as slides to run over."""

from __future__ import annotations

import re
from pathlib import Path

from diffuscope.jobs.drawn.regions import region_of
from diffuscope.scans.formats.table import stem
from diffuscope.scans.qupath.live import connected, read_selected, read_shown
from diffuscope.scans.qupath.size import check_size
from diffuscope.tiling.region import Region


def read_live(text: str) -> tuple[list[tuple[str, Path, Region | None]], tuple[str, ...]]:
    """Return what is selected in QuPath: name, file and region of each, and what the user should know.

    Where nothing is selected it is the whole image, and no region.

    Parameters
    ----------
    text : str
        As of `diffuscope.scans.qupath.live.connected`.

    Raises
    ------
    InputError
        QuPath does not answer, or shows nothing that can be run over; an outline has holes or several parts.
    """
    with connected(text) as gateway:
        shown, selected = read_shown(gateway), read_selected(gateway)
    check_size(shown.name, shown.path, shown.shape)
    name = stem(shown.path.name)
    if not selected.found:
        return [(name, shown.path, None)], (
            f"Nothing with an area is selected in QuPath: the whole of {shown.name} is meant.",
            *selected.notices,
        )
    names: list[str] = []
    for one in selected.found:
        # An outline may be called what no file may be on some system.
        title = re.sub(r"[^\w .()+-]", "_", one.title).strip(" .")
        own = f"{name} {title}"
        again = sum(other == own or other.startswith(f"{own} (") for other in names)
        names.append(own if not again else f"{own} ({again + 1})")
    regions = [region_of(selected, one) for one in selected.found]
    return [(own, shown.path, region) for own, region in zip(names, regions, strict=True)], selected.notices
