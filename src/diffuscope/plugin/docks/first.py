"""The first look at a dock: its sample, opened so that Run is all that is left to press."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np

from diffuscope.plugin.layers.placement import in_units, world_units
from diffuscope.plugin.panels.views.fresh import fresh_view
from diffuscope.sample_data import sample_path
from diffuscope.tiling.region import Region

if TYPE_CHECKING:
    from diffuscope.plugin.docks.run import RunDock  # which opens it

#: Patients with tables, and of some a CT; subjects with a report.
COHORT, SUBJECTS = "oesophagus-simulated/cohort.csv", "thorax-simulated/cases.csv"


def open_sample(dock: RunDock) -> None:
    """Open the sample of a dock alone, look at a part of it that is computed soon, and choose what is in view."""
    kind = dock.kind
    with fresh_view(dock.viewer):
        layers = dock.viewer.open_sample("diffuscope", kind.sample)
    dock.form.region = next(iter(kind.scope.regions))
    if kind.view is not None:
        look_at(dock.viewer, layers[0], kind.view)


def look_at(viewer: Any, layer: Any, region: Region) -> None:
    """Bring a part of a slide, level-0 px, into the middle of the view."""
    corners = ((region.y, region.x), (region.y + region.height, region.x + region.width))
    units = world_units(viewer) or layer.units
    first, last = (in_units(layer.data_to_world(corner), layer.units, units)[-2:] for corner in corners)
    viewer.camera.center = (0.0, *(first + last) / 2)
    viewer.camera.zoom = min(np.asarray(viewer.canvas.size) / (last - first))


def sample_report() -> str:
    """Return the report of the first subject of the sample."""
    with sample_path(SUBJECTS).open(encoding="utf-8", newline="") as file:
        return next(csv.DictReader(file))["report"]
