"""What a viewer adds to the maps of results while they are there: colour bars with names, a scale bar, values."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Image

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.placement import world_units
from diffuscope.plugin.layers.reading.calm import calm_list, read_first
from diffuscope.plugin.layers.reading.hover import told_at
from diffuscope.plugin.layers.reading.letters import keep_table
from diffuscope.plugin.layers.reading.ranges import fit
from diffuscope.plugin.layers.views.canvas import canvas_of, leave_old_views
from diffuscope.plugin.layers.views.naming import tell_apart
from diffuscope.plugin.layers.views.pair import layers_of_folder, result_in_sight
from diffuscope.plugin.layers.views.per_viewer import PerViewer
from diffuscope.plugin.layers.views.side import grid_of

_CORNER = "top_right"
#: Width and height of a colour bar, px of the screen.
_BAR = (14, 100)
#: Of names and ticks, points: two bars have room beside a dock in a window of 1280 px.
_FONT = 8
#: Width of the view that two of them and their names take; sides of one in which even one would cover the picture.
_TWO, _LEAST = 460, 180
#: Sides of a view of a grid in which a bar covers a quarter of a small picture: there only what is selected has one.
_LARGE = 400
#: Of the height of a view a bar takes one of so many parts at most.
_PARTS = 4


class Reading:
    """Makes the maps of one viewer legible. Main thread only.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self._has_scale_bar = False
        # Maps whose name, or colour bar, was put away for want of room, and comes back.
        self._crowded: dict[str, list[Any]] = {"name_overlay": [], "colorbar": []}
        # What we made the bars of maps as long as.
        self._sizes: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()
        for layer in viewer.layers:
            self._take(layer)
        viewer.layers.events.inserted.connect(self._inserted)
        removed, reordered = viewer.layers.events.removed, viewer.layers.events.reordered
        selected, grid = viewer.layers.selection.events.changed, grid_of(viewer).events.enabled
        for event in (removed, reordered, selected, grid, *_resized(viewer)):
            event.connect(self._make_room)
        self._make_room()
        calm_list(viewer.layers)
        canvas = canvas_of(viewer)
        keep_table(canvas)
        read_first(canvas)
        # after the window has shown what napari says of a place
        viewer.events.status.connect(self._told, position="last")

    def _inserted(self, event: Any) -> None:
        self._take(event.value)
        self._make_room()

    def _make_room(self, _: Any = None) -> None:
        """Leave names and bars of the topmost maps that are seen in each view, as long as fits there.

        In small views of a grid names stay, and only what is selected has its bar: one in each would cover much of it.
        One that the user put away does not come back, and one that the user made longer or shorter stays so.
        """
        viewer = self._viewer()
        if viewer is None:
            return
        maps = [layer for layer in reversed(viewer.layers) if layer.visible and _has_bar(layer)]
        (height, width), grid = _view(viewer), grid_of(viewer)
        stride, above = abs(grid.stride) if grid.enabled else len(viewer.layers), Counter[int]()
        size = _BAR[0], min(_BAR[1], round(height / _PARTS))
        for layer in maps:
            view = viewer.layers.index(layer) // stride
            has_room = above[view] < _room(height, width)
            has_most = not grid.enabled or min(height, width) >= _LARGE or layer in viewer.layers.selection
            above[view] += 1
            if layer.colorbar.size == self._sizes.get(layer) != size:
                layer.colorbar.size = self._sizes[layer] = size
            self._show(layer, "name_overlay", has_room)
            self._show(layer, "colorbar", has_room and has_most)

    def _show(self, layer: Any, what: str, has_room: bool) -> None:
        overlay, crowded = getattr(layer, what), self._crowded[what]
        if has_room and layer in crowded:
            crowded.remove(layer)
            leave_old_views(self._viewer(), layer)
        elif not has_room and layer not in crowded and overlay.visible:
            crowded.append(layer)
        else:
            return
        overlay.visible = has_room

    def _take(self, layer: Any) -> None:
        self._measure(layer)
        if (viewer := self._viewer()) is not None:
            tell_apart(viewer, layer)
        if not isinstance(layer, Image) or layer.rgb or not _is_map(layer):
            return
        fit(layer)
        if hasattr(layer, "colorbar") and not layer.colorbar.visible:  # before 0.9 napari has none
            layer.colorbar.size = self._sizes[layer] = _BAR
            layer.colorbar.position = _CORNER
            layer.colorbar.font_size = layer.name_overlay.font_size = _FONT
            layer.name_overlay.position = _CORNER
            layer.colorbar.visible = layer.name_overlay.visible = True
        layer.events.visible.connect(self._make_room)

    def _measure(self, layer: Any) -> None:
        """Show the scale bar with the first layer that has a length; who hides it then is not asked again."""
        viewer = self._viewer()
        if self._has_scale_bar or viewer is None or not isinstance(layer, Image):
            return
        if any(str(unit) not in {"pixel", "1", "dimensionless"} for unit in layer.units):
            self._has_scale_bar = True
            scale_bar_of(viewer).visible = True

    def _told(self, event: Any) -> None:
        """Put what the result in sight tells of a place in the stead of bare numbers."""
        viewer = self._viewer()
        if viewer is None or not isinstance(event.value, dict) or viewer.dims.ndisplay != 2:
            return
        folder = result_in_sight(viewer)
        if folder and not _is_covered(viewer, folder):
            text = told_at(layers_of_folder(viewer, folder), viewer.cursor.position, world_units(viewer))
            if text:
                viewer.status = text


def _is_covered(viewer: Any, folder: str) -> bool:
    """Whether another image than those of a result is what is seen where the pointer is."""
    place = np.asarray(viewer.cursor.position)[-2:]
    for layer in reversed(viewer.layers):
        own = own_metadata(layer)
        if not layer.visible or not isinstance(layer, Image) or {"preview", "value", "evaluation"} & own.keys():
            continue
        if own.get("result") == folder:
            return False
        low, high = layer.extent.world[:, -2:]
        if (low <= place).all() and (place <= high).all():
            return True
    return False


def scale_bar_of(viewer: Any) -> Any:
    """Return a viewer's scale bar, which was its own before it had a canvas."""
    return viewer.canvas.overlays.scale_bar if hasattr(viewer, "canvas") else viewer.scale_bar


def _view(viewer: Any) -> tuple[float, float]:
    """Return height and width of a view, of which a grid has several, px of the screen."""
    if not hasattr(viewer, "canvas"):  # before 0.9 napari has no bars
        return inf, inf
    height, width = viewer.canvas.size
    rows, columns = grid_of(viewer).actual_shape(list(viewer.layers))
    return height / rows, width / columns


def _room(height: float, width: float) -> int:
    """Return for how many bars there is room in a view."""
    return 0 if min(height, width) < _LEAST else 1 if width < _TWO else 2


def _resized(viewer: Any) -> tuple[Any, ...]:
    return (viewer.canvas.events.size,) if hasattr(viewer, "canvas") else ()


def _has_bar(layer: Any) -> bool:
    return isinstance(layer, Image) and not layer.rgb and _is_map(layer) and hasattr(layer, "colorbar")


def _is_map(layer: Any) -> bool:
    own = own_metadata(layer)
    return bool({"port", "value", "evaluation"} & own.keys())


reading_of = PerViewer(Reading)
"""What makes the maps of a viewer legible."""
