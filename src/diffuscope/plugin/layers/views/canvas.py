"""What draws the layers of a viewer."""

from __future__ import annotations

from typing import Any


def canvas_of(viewer: Any) -> Any:
    """Return what draws a viewer; None of one without a window, or whose window was closed: layers may still come."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    # napari has no public way to what draws a layer
    return window._qt_viewer.canvas if window is not None else None  # noqa: SLF001
