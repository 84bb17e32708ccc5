"""napari's list of layers, painted only when what it shows has changed."""

from __future__ import annotations

from typing import Any
from weakref import ref

#: What a layer says whenever other px of it are in sight, at a pan several times a second: nothing that a list shows.
_UNSEEN = "set_data"
_HEARS = "_process_event"


def calm_list(layers: Any) -> None:
    """Keep from the lists that show layers that other px of one are in sight.

    napari (0.9) paints a row anew for whatever its layer says. Where no graphics card draws, that sends the window to
    the screen once more, which takes as long as half a frame.

    Parameters
    ----------
    layers : napari.components.LayerList
        Of the viewer.
    """
    for held in layers.events.callbacks:
        if isinstance(held, tuple) and held[1] == _HEARS and (model := held[0]()) is not None:
            layers.events.disconnect(getattr(model, _HEARS))
            layers.events.connect(_without_px(model))


def _without_px(model: Any) -> Any:
    kept = ref(model)

    def hear(event: Any) -> None:
        model = kept()
        if model is not None and event.type != _UNSEEN:
            getattr(model, _HEARS)(event)

    return hear
