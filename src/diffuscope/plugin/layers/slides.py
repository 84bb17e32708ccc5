"""The layers of a viewer that matter to a dock: inputs to choose from, shapes that mark a region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Shapes
from psygnal import Signal

from diffuscope.plugin.docks.kinds import Kind
from diffuscope.plugin.layers.facts import KEY, finest, own_metadata
from diffuscope.plugin.layers.placement import in_units, layer_placement, world_units
from diffuscope.ports.matching import guess_channels, guess_each
from diffuscope.ports.raster import Raster

REGIONS_LAYER = "regions"
#: Width of the edge of what is drawn, px of the screen.
_EDGE = 2.5


class InputList:
    """Follows the layers of a viewer that can be an input, and which of them is chosen for each input of the model.

    Of a model with one input the newest layer becomes the choice, unless the one before is called as the input is and
    it is not. Of one with several the layers' names tell, those of the newest layer's file before others; what they do
    not tell is left open, and what the user has chosen stays.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to follow.
    kind : Kind
        What can be an input.
    """

    changed = Signal()
    shapes_changed = Signal()

    def __init__(self, viewer: Any, kind: Kind) -> None:
        self._viewer = viewer
        self._kind = kind
        self._ports: tuple[Raster, ...] = ()
        self._choices: list[Any] = [None]
        # by the sort of an input, what the user chose for it; None where that was nothing
        self._said: dict[tuple[str, str, str], Any] = {}
        # what models before had for theirs
        self._had: dict[tuple[str, str, str], Any] = {}
        for layer in viewer.layers:
            self._take(layer)
        events = viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_shapes)

    @property
    def layers(self) -> list[Any]:
        """Input layers, in the viewer's order."""
        return [layer for layer in self._viewer.layers if self._kind.takes(layer)]

    @property
    def unfit(self) -> str:
        """A sentence on the last image that is open and can be no input, whoever made it; empty where there is none."""
        told = [(layer.name, why) for layer in self._viewer.layers if (why := self._kind.unfit(layer))]
        return f"“{told[-1][0]}” is {told[-1][1]}, which no model of this dock takes." if told else ""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The layer chosen for each input of the model, None where there is none; at least one."""
        return tuple(self._choices)

    @property
    def chosen(self) -> Any:
        """The layer chosen for the first input that there is one for; None where there is none."""
        return next((layer for layer in self._choices if layer is not None), None)

    @property
    def indices(self) -> list[int]:
        """Places of `choices` in `layers`; -1 where there is none."""
        layers = self.layers
        return [layers.index(layer) if layer in layers else -1 for layer in self._choices]

    def set_ports(self, ports: Sequence[Raster]) -> None:
        """Choose layers for the inputs of another model: those that a model before had for the same, others by name.

        A scan that went into another input is none for this one only because it was there.
        """
        before = dict(zip((_sort(port) for port in self._ports), self._choices, strict=False))
        self._had |= {sort: layer for sort, layer in before.items() if layer is not None}
        if ports:
            self._ports = tuple(ports)
        if not before:
            self._choose_for(self.chosen)
        elif ports:
            guessed = guess_layers(self.layers, self.chosen, ports)
            had = [self._had.get(_sort(port)) for port in ports]
            kept = [layer if any(layer is one for one in self.layers) else None for layer in had]
            self._choices = [
                layer if layer is not None else None if guess in kept else guess
                for layer, guess in zip(kept, guessed, strict=True)
            ]
        self.changed.emit()

    def choose(self, number: int, index: int) -> None:
        """Choose a layer for an input: their places in the model's inputs and in `layers`."""
        self._choices[number] = self.layers[index] if 0 <= index < len(self.layers) else None
        if number < len(self._ports):
            self._said[_sort(self._ports[number])] = self._choices[number]
            self._had.pop(_sort(self._ports[number]), None)

    def _choose_for(self, newest: Any) -> None:
        if len(self._ports) > 1:
            self._choices = self._keep_said(guess_layers(self.layers, newest, self._ports), newest)
        elif not (self._is_named(self.chosen) and not self._is_named(newest)):
            self._choices = [newest]

    def _keep_said(self, guessed: list[Any], newest: Any) -> list[Any]:
        """Put what the user has chosen in the place of guesses; that an input has none, until its layer comes."""
        kept = list(guessed)
        for number, port in enumerate(self._ports):
            said = self._said.get(_sort(port), kept[number])
            is_none = said is None and kept[number] is not newest
            if is_none or (said is not None and said in self.layers):
                kept = [None if said is not None and other is said else other for other in kept]
                kept[number] = said
        return kept

    def _is_named(self, layer: Any) -> bool:
        """Whether a layer that is there is called as the model's only input is."""
        there = layer is not None and layer in self._viewer.layers
        return bool(there and self._ports and guess_channels([_channel_name(layer)], self._ports))

    def _on_inserted(self, event: Any) -> None:
        if self._take(event.value) or self._kind.unfit(event.value):
            self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        if event.value in self._choices:
            self._choose_for(self.layers[-1] if self.layers else None)
        if self._kind.takes(event.value) or self._kind.unfit(event.value):
            self.changed.emit()
        self.shapes_changed.emit()

    def _take(self, layer: Any) -> bool:
        if isinstance(layer, Shapes):
            layer.events.data.connect(self._on_shapes)
            layer.events.highlight.connect(self._on_shapes)
        if not self._kind.takes(layer):
            return False
        for event in (layer.events.name, layer.events.data, layer.events.scale, layer.events.units):
            event.connect(self._on_layer)
        if "source" not in own_metadata(layer):  # what our reader opened is as its file is, wherever it is moved
            for event in (layer.events.affine, layer.events.rotate, layer.events.shear):
                event.connect(self._on_layer)
        self._choose_for(layer)
        return True

    def _on_layer(self, _: Any = None) -> None:
        self.changed.emit()

    def _on_shapes(self, _: Any = None) -> None:
        self.shapes_changed.emit()


def guess_layers(layers: list[Any], newest: Any, ports: Sequence[Raster]) -> list[Any]:
    """Match layers to the inputs of a model by their names: those of the newest layer's file, else all.

    Where the names do not tell all inputs, those are matched that they tell.

    Parameters
    ----------
    layers : list of layers
        To choose from.
    newest : layer or None
        Whose file comes first.
    ports : sequence of Raster
        The inputs.

    Returns
    -------
    list
        A layer or None for each port.
    """
    file = own_metadata(newest).get("source") if newest is not None else None
    together = [layer for layer in layers if file is not None and own_metadata(layer).get("source") == file]
    for among in (together, layers):
        found = guess_channels([_channel_name(layer) for layer in among], ports)
        if found is not None:
            return [among[found[port.key]] for port in ports]
    each = guess_each([_channel_name(layer) for layer in layers], ports)
    return [layers[each[port.key]] if port.key in each else None for port in ports]


def listed_name(layer: Any) -> str:
    """Return a layer's name as a narrow list shows it: a channel before its file, whose end it would cut off."""
    file, mark, channel = layer.name.partition(" · ")
    return f"{channel}{mark}{file}"


def region_layer(viewer: Any) -> Any:
    """Return the shapes layer that marks the region: the active one, else the topmost with something in it."""
    active = viewer.layers.selection.active
    if isinstance(active, Shapes):
        return active
    drawn = [layer for layer in viewer.layers if isinstance(layer, Shapes) and len(layer.data)]
    return drawn[-1] if drawn else None


def add_region_layer(viewer: Any, image: Any) -> Any:
    """Add a shapes layer on a slide, ready to draw a rectangle in, or take the one that is there: empty, or ours.

    What is drawn next has an edge that is seen where the view is now: one of the slide's would hide a small region.
    """
    size = finest(image).shape[image.ndim - 2 : image.ndim]
    edge = min(_EDGE * _px_on_screen(viewer, image), max(size) / 400)
    for layer in viewer.layers:
        if isinstance(layer, Shapes) and (not len(layer.data) or own_metadata(layer).get("regions") == image.name):
            break
    else:
        place = {"scale": image.scale[-2:], "translate": image.translate[-2:], "units": image.units[-2:]}
        if image.ndim == 2:
            place = layer_placement(image).about  # turned and sheared as the slide is, so that a rectangle is one on it
        layer = viewer.add_shapes(
            name=REGIONS_LAYER,
            ndim=2,
            metadata={KEY: {"regions": image.name}},
            **place,
            edge_color="#ffb000",
            face_color="transparent",
        )
    layer.selected_data = set()  # napari would change what is selected as well
    layer.current_edge_width = max(1.0, edge)
    viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
    return layer


def _px_on_screen(viewer: Any, image: Any) -> float:
    """Return how many px of a layer one of the screen is."""
    ends = np.zeros((2, viewer.dims.ndim))
    ends[1, viewer.dims.displayed[-1]] = 1 / viewer.camera.zoom
    start, end = (image.world_to_data(in_units(end.tolist(), world_units(viewer), image.units)) for end in ends)
    return float(np.linalg.norm(np.subtract(end, start)))


def put_tools_away(viewer: Any) -> None:
    """Take tools that draw away, so that the next drag pans and draws no further shape."""
    for layer in viewer.layers:
        if isinstance(layer, Shapes) and str(layer.mode).startswith("add"):
            layer.mode = "pan_zoom"


def _sort(port: Raster) -> tuple[str, str, str]:
    """Return what two inputs have in common into which the same scan goes."""
    return port.key, port.axes, port.kind


def _channel_name(layer: Any) -> str:
    return str(own_metadata(layer).get("channel_name", layer.name))
