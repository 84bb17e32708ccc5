"""The layers of a viewer that matter to the dock: slides to choose from, shapes that mark a region."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Shapes
from psygnal import Signal

from diffuscope.plugin.facts import is_result

REGIONS_LAYER = "regions"


class SlideList:
    """Follows the image layers of a viewer that can be an input; the newest becomes the choice.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to follow.
    """

    changed = Signal()
    shapes_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._chosen: Any = None
        for layer in viewer.layers:
            self._take(layer)
        events = viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_shapes)

    @property
    def layers(self) -> list[Any]:
        """Input layers, in the viewer's order."""
        return [layer for layer in self._viewer.layers if _is_slide(layer)]

    @property
    def chosen(self) -> Any:
        """The chosen input layer; None where there is none."""
        return self._chosen

    @property
    def index(self) -> int:
        """Place of the chosen layer in `layers`; -1 where there is none."""
        return self.layers.index(self._chosen) if self._chosen is not None else -1

    def choose(self, index: int) -> None:
        """Choose a layer by its place in `layers`."""
        self._chosen = self.layers[index] if 0 <= index < len(self.layers) else None

    def _on_inserted(self, event: Any) -> None:
        if self._take(event.value):
            self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        if event.value is self._chosen:
            self._chosen = self.layers[-1] if self.layers else None
        if _is_slide(event.value):
            self.changed.emit()
        self.shapes_changed.emit()

    def _take(self, layer: Any) -> bool:
        if isinstance(layer, Shapes):
            layer.events.data.connect(self._on_shapes)
            layer.events.highlight.connect(self._on_shapes)
        if not _is_slide(layer):
            return False
        layer.events.name.connect(self._on_name)
        self._chosen = layer
        return True

    def _on_name(self, _: Any = None) -> None:
        self.changed.emit()

    def _on_shapes(self, _: Any = None) -> None:
        self.shapes_changed.emit()


def region_layer(viewer: Any) -> Any:
    """Return the shapes layer that marks the region: the active one, else the topmost with something in it."""
    active = viewer.layers.selection.active
    if isinstance(active, Shapes):
        return active
    drawn = [layer for layer in viewer.layers if isinstance(layer, Shapes) and len(layer.data)]
    return drawn[-1] if drawn else None


def add_region_layer(viewer: Any, image: Any) -> Any:
    """Add a shapes layer on a slide, ready to draw a rectangle in, or make the empty one that is there active."""
    for layer in viewer.layers:
        if isinstance(layer, Shapes) and not len(layer.data):
            break
    else:
        size = (image.data[0] if image.multiscale else image.data).shape
        layer = viewer.add_shapes(
            name=REGIONS_LAYER,
            ndim=2,
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            edge_color="#ffb000",
            face_color="transparent",
            edge_width=max(1, max(size[:2]) // 400),
        )
    viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
    return layer


def _is_slide(layer: Any) -> bool:
    return isinstance(layer, Image) and layer.ndim == 2 and not is_result(layer)
