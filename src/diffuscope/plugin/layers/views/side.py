"""A result and its inputs side by side, in two views with one camera; everything else is out of sight meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffuscope.plugin.layers.views.pair import Pair


class SideBySide:
    """napari's grid with the inputs at the left and a result at the right."""

    def __init__(self) -> None:
        self._hidden: list[Any] = []
        self._shown: list[Any] = []
        self._before: dict[str, Any] = {}
        self._order: list[Any] = []

    def draw(self, viewer: Any, pair: Pair) -> None:
        """Show the inputs and what is seen of the result, of one of which nothing is seen its main image."""
        seen = pair.seen or pair.made[:1]
        wanted = [*pair.inputs, *seen]
        for layer in viewer.layers:
            if layer.visible and layer not in wanted:
                layer.visible = False
                self._hidden.append(layer)
            elif not layer.visible and layer in wanted:
                layer.visible = True
                self._shown.append(layer)
        grid = grid_of(viewer)
        self._before = {name: getattr(grid, name) for name in ("enabled", "stride", "shape")}
        self._order = list(viewer.layers)
        grid.stride = _stride(self._order, pair.inputs, seen) or _rearranged(viewer, pair.inputs, seen)
        grid.shape = (1, -1)
        grid.enabled = True

    def lift(self, viewer: Any) -> None:
        """Show what was seen before, where it was."""
        grid = grid_of(viewer)
        for name, value in self._before.items():
            setattr(grid, name, value)
        for layers, seen in ((self._hidden, True), (self._shown, False)):
            for layer in layers:
                if layer in viewer.layers:
                    layer.visible = seen
        if set(self._order) == set(viewer.layers):
            _arrange(viewer, self._order)
        self._hidden, self._shown, self._before, self._order = [], [], {}, []


def grid_of(viewer: Any) -> Any:
    """Return a viewer's grid, which was its own before it had a canvas."""
    return viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid


def _stride(order: list[Any], inputs: Sequence[Any], made: Sequence[Any]) -> int:
    """Return how many layers share a view so that inputs and result have one each; 0 where their order forbids it."""
    for stride in range(1, len(order) + 1):
        left, right = ({order.index(layer) // stride for layer in layers} for layers in (inputs, made))
        if len(left) == len(right) == 1 and min(left) < min(right):
            return stride
    return 0


def _rearranged(viewer: Any, inputs: Sequence[Any], made: Sequence[Any]) -> int:
    """Put hidden layers between inputs and result so that either begins a view; each its own where too few are."""
    stride = max(len(inputs), len(made))
    others = [layer for layer in viewer.layers if layer not in (*inputs, *made)]
    missing = stride - len(inputs)
    if not inputs or missing > len(others):
        return 1
    _arrange(viewer, [*inputs, *others[:missing], *made, *others[missing:]])
    return stride


def _arrange(viewer: Any, order: Sequence[Any]) -> None:
    for place, layer in enumerate(order):
        if viewer.layers.index(layer) != place:
            viewer.layers.move(viewer.layers.index(layer), place)
