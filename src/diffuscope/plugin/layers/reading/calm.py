"""What napari draws more often than there is something new: its list of layers, and pictures at a pan."""

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


def read_first(canvas: Any) -> None:
    """Read what came into sight before a picture is drawn, and not after it.

    napari (0.9) draws what it has, reads, and draws once more at once: nothing is heard until both are drawn, and the
    first lacks what came into sight. Views of a grid have their sizes by the drawing itself: where these are others
    than before, cameras and bars are put right after it, and drawn once more.

    Parameters
    ----------
    canvas : napari's canvas
        None of a viewer without a window.
    """
    if canvas is not None:
        draw = canvas._scene_canvas.events.draw  # noqa: SLF001  napari has no public way to it
        draw.disconnect(canvas.on_draw)
        draw.connect(canvas.on_draw, position="first")
        draw.connect(_put_right(canvas), position="last")


def _put_right(canvas: Any) -> Any:
    kept, before = ref(canvas), _sizes(canvas)

    def drawn(event: Any) -> None:
        nonlocal before
        canvas = kept()
        if canvas is not None and (now := _sizes(canvas)) != before:
            before = now
            canvas.on_draw(event)

    return drawn


def _sizes(canvas: Any) -> list[tuple[float, ...]]:
    """Return width and height of each view of a grid, none where napari has no views of their own for it."""
    return [tuple(view.rect.size) for view in getattr(canvas, "grid_views", ())]


def _without_px(model: Any) -> Any:
    kept = ref(model)

    def hear(event: Any) -> None:
        model = kept()
        if model is not None and event.type != _UNSEEN:
            getattr(model, _HEARS)(event)

    return hear
