"""Layers made to shine through, and given back as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary


class Fade:
    """A share of their own opacity for some layers; what a user sets meanwhile becomes their own."""

    def __init__(self) -> None:
        # by layer: its own opacity, and what was made of it
        self._kept: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()

    def draw(self, layers: Sequence[Any], share: float) -> None:
        """Give layers a share (0 to 1) of their own opacity; others get theirs back."""
        for layer in [layer for layer in self._kept if layer not in layers]:
            self._give(layer, 1.0)
            del self._kept[layer]
        for layer in layers:
            self._give(layer, share)

    def _give(self, layer: Any, share: float) -> None:
        own, given = self._kept.get(layer, (layer.opacity, layer.opacity))
        if layer.opacity != given:
            own = layer.opacity
        if layer.opacity != own * share:  # napari draws for each
            layer.opacity = own * share
        self._kept[layer] = own, layer.opacity
