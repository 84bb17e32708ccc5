"""What draws the layers of a viewer."""

from __future__ import annotations

from typing import Any

#: What OpenGL calls itself where the processor draws.
_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "gdi generic", "microsoft basic render")


def window_of(viewer: Any) -> Any:
    """Return Qt's window of a viewer; None of one without, or whose window was closed."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands out proxies, which do not tell it
    return getattr(getattr(viewer, "window", None), "_qt_window", None)


def canvas_of(viewer: Any) -> Any:
    """Return what draws a viewer; None as in `window_of`: layers may still come."""
    window = window_of(viewer)
    # napari has no public way to what draws a layer
    return window._qt_viewer.canvas if window is not None else None  # noqa: SLF001


def scene_canvas_of(viewer: Any) -> Any:
    """Return vispy's canvas of a viewer, which tells when it draws; None as in `canvas_of`."""
    return getattr(canvas_of(viewer), "_scene_canvas", None)  # napari has no public way to it


def leave_old_views(viewer: Any, layer: Any) -> None:
    """Take away what draws bars and names of a layer in views that a grid has no more; napari makes them anew.

    napari (0.9) leaves those that are hidden where they were when it divides its canvas anew, and shows them there
    later: a colour bar without a canvas ends in an error.
    """
    drawn = getattr(canvas_of(viewer), "_layer_overlay_to_visual", {}).get(layer, {})
    for overlay in [overlay for overlay, visual in drawn.items() if visual.node.canvas is None]:
        drawn.pop(overlay).close()


def is_drawn_in_software(viewer: Any) -> bool:
    """Whether the processor draws what a viewer shows, for want of a graphics card; False where nobody can say."""
    canvas = scene_canvas_of(viewer)
    if canvas is None:
        return False
    from vispy.gloo import gl  # not ahead of the first window

    canvas.set_current()
    return any(name in str(gl.glGetParameter(gl.GL_RENDERER)).lower() for name in _SOFTWARE)
