"""What covers the inputs of a result, put aside while the two are held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.views.pair import Pair


class Aside:
    """Inputs shown, and images above them hidden; what a user shows or hides meanwhile stays so."""

    def __init__(self) -> None:
        # by layer: whether it was seen, and whether it was made to be
        self._kept: WeakKeyDictionary[Any, tuple[bool, bool]] = WeakKeyDictionary()

    def draw(self, viewer: Any, pair: Pair) -> None:
        """Let nothing but the result be seen over its inputs; layers that are in the way no more come back."""
        wanted = {**dict.fromkeys(_covering(viewer, pair), False), **dict.fromkeys(pair.inputs, True)}
        self._give_back(viewer, [layer for layer in self._kept if layer not in wanted])
        for layer, is_seen in wanted.items():
            if layer not in self._kept:
                self._kept[layer] = layer.visible, is_seen
                layer.visible = is_seen

    def lift(self, viewer: Any) -> None:
        """Show and hide what was so before."""
        self._give_back(viewer, list(self._kept))

    def _give_back(self, viewer: Any, layers: list[Any]) -> None:
        for layer in layers:
            was_seen, made_seen = self._kept.pop(layer)
            if layer in viewer.layers and layer.visible == made_seen:
                layer.visible = was_seen


def _covering(viewer: Any, pair: Pair) -> Iterator[Any]:
    """Yield images above the lowest input. Drawings hide little, and a result at work has no record: it is watched."""
    order = list(viewer.layers)
    lowest = min((order.index(layer) for layer in pair.inputs), default=len(order))
    for layer in order[lowest:]:
        own = own_metadata(layer)
        if isinstance(layer, Image) and layer not in pair.made and ("result" not in own or "record" in own):
            yield layer
