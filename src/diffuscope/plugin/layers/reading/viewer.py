"""What a viewer adds to the maps of results while they are there: colour bars with names, a scale bar, values."""

from __future__ import annotations

from typing import Any
from weakref import ref

from napari.layers import Image

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.placement import world_units
from diffuscope.plugin.layers.reading.hover import told_at
from diffuscope.plugin.layers.reading.ranges import fit
from diffuscope.plugin.layers.views.naming import tell_apart
from diffuscope.plugin.layers.views.pair import layers_of_folder, result_in_sight
from diffuscope.plugin.layers.views.per_viewer import PerViewer

_CORNER = "top_right"
#: Width and height of a colour bar, px of the screen.
_BAR = (14, 100)
#: Of names and ticks, points: two bars have room beside a dock in a window of 1280 px.
_FONT = 8


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
        for layer in viewer.layers:
            self._take(layer)
        viewer.layers.events.inserted.connect(self._inserted)
        # after the window has shown what napari says of a place
        viewer.events.status.connect(self._told, position="last")

    def _inserted(self, event: Any) -> None:
        self._take(event.value)

    def _take(self, layer: Any) -> None:
        self._measure(layer)
        tell_apart(layer)
        if not isinstance(layer, Image) or layer.rgb or not _is_map(layer):
            return
        fit(layer)
        if hasattr(layer, "colorbar") and not layer.colorbar.visible:  # before 0.9 napari has none
            layer.colorbar.size, layer.colorbar.position = _BAR, _CORNER
            layer.colorbar.font_size = layer.name_overlay.font_size = _FONT
            layer.name_overlay.position = _CORNER
            layer.colorbar.visible = layer.name_overlay.visible = True

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
        if folder:
            text = told_at(layers_of_folder(viewer, folder), viewer.cursor.position, world_units(viewer))
            if text:
                viewer.status = text


def scale_bar_of(viewer: Any) -> Any:
    """Return a viewer's scale bar, which was its own before it had a canvas."""
    return viewer.canvas.overlays.scale_bar if hasattr(viewer, "canvas") else viewer.scale_bar


def _is_map(layer: Any) -> bool:
    own = own_metadata(layer)
    return bool({"port", "value", "evaluation"} & own.keys())


reading_of = PerViewer(Reading)
"""What makes the maps of a viewer legible."""
