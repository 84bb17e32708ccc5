"""A view of what is opened and of nothing else; what was there before is hidden, and stays in the list of layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from diffuscope.plugin.layers.placement import in_units, world_units
from diffuscope.plugin.panels.views.stage import OVER, stage_of

#: Of the picture that is filled.
_PART = 0.95


@contextmanager
def fresh_view(viewer: Any) -> Iterator[None]:
    """Hide all layers but those that are opened meanwhile, and look at these: whole, volumes at the middle slice."""
    before = list(viewer.layers)
    yield
    added = [layer for layer in viewer.layers if layer not in before]
    if not added:
        return
    stage = stage_of(viewer)
    stage.show(OVER)
    stage.fade(1.0)
    for layer in before:
        layer.visible = False
    _look_at(viewer, added[0])


def _look_at(viewer: Any, layer: Any) -> None:
    """Bring all of a layer into view, which napari cannot where others have more axes."""
    shape = np.array((layer.level_shapes[0] if layer.multiscale else layer.data.shape)[: layer.ndim])
    units = world_units(viewer) or layer.units
    low, middle, high = (
        in_units(layer.data_to_world(place), layer.units, units) for place in (0 * shape, (shape - 1) // 2, shape - 1)
    )
    axes = viewer.dims.ndim  # the layer's are the last of them
    for axis in range(axes - layer.ndim, axes):
        if axis not in viewer.dims.displayed:
            viewer.dims.set_point(axis, float(middle[axis - axes]))
    seen = [axis - axes for axis in viewer.dims.displayed if axis >= axes - layer.ndim]
    viewer.camera.center = tuple(((low + high) / 2)[seen].tolist())
    sides = np.abs(high - low)[seen][-2:]
    viewer.camera.zoom = _PART * float(min(np.asarray(viewer.canvas.size) / sides))
