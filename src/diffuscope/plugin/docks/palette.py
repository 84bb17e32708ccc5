"""Commands of napari's palette, and of keys, for the dock that is in front."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtWidgets import QAbstractButton, QApplication

from diffuscope.errors import InputError
from diffuscope.plugin.docks.frame.tabs import is_ours
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.panels.views.stage import stage_of


def run(viewer: napari.Viewer) -> None:
    """Press Run, or what a dock has in its place."""
    _press(_panel(viewer).run, "Run")


def cancel(viewer: napari.Viewer) -> None:
    """Cancel what is at work."""
    _press(_panel(viewer).cancel, "Cancel: nothing is at work")


def pause(viewer: napari.Viewer) -> None:
    """Let what is at work wait, or go on again."""
    _press(_panel(viewer).pause, "Pause: nothing is at work")


def go_on(viewer: napari.Viewer) -> None:
    """Go on with what ended early."""
    dock = front_dock(viewer)
    resume = getattr(getattr(dock, "results", None), "resume", None)
    if resume is not None and resume.isVisible():
        resume.click()
    else:
        _press(_panel(viewer).go_on, "Continue: nothing ended early")


def preview(viewer: napari.Viewer) -> None:
    """Compute the tile under the pointer, to look at."""
    button = getattr(front_dock(viewer), "preview", None)
    if button is None or not button.isVisible():
        raise InputError("This dock has no preview of a tile: run one slice, or one case.")
    button.look_at(tuple(viewer.cursor.position))


def export(viewer: napari.Viewer) -> None:
    """Ask where the result that is shown goes."""
    results = getattr(front_dock(viewer), "results", None)
    if results is None or not results.export.isVisible():
        raise InputError("No result is shown that could be exported: select a layer of one.")
    _press(results.export, "Export")


def toggle(viewer: napari.Viewer) -> None:
    """Hide all layers of the result in sight, or show them again."""
    stage = stage_of(viewer)
    if stage.pair is None:
        raise InputError("No result is in sight that could be hidden or shown: select a layer of one.")
    stage.toggle_hidden()


def next_result(viewer: napari.Viewer) -> None:
    """Show the result after the one whose layer is selected, and hide the others."""
    results: dict[str, list[Any]] = {}
    for layer in viewer.layers:
        if folder := own_metadata(layer).get("result"):
            results.setdefault(folder, []).append(layer)
    if not results:
        raise InputError("No result is open.")
    folders, active = list(results), viewer.layers.selection.active
    at = folders.index(folder) if active and (folder := own_metadata(active).get("result")) in folders else -1
    shown = folders[(at + 1) % len(folders)]
    for folder, layers in results.items():
        layers[0].visible = folder == shown
        for layer in layers[1:]:
            layer.visible &= folder == shown
    viewer.layers.selection.active = results[shown][0]


def front_dock(viewer: napari.Viewer) -> Any:
    """Return the dock of ours that is seen: that with the focus, where several are.

    Raises
    ------
    InputError
        None is.
    """
    docks: list[Any] = [widget for widget in QApplication.allWidgets() if is_ours(widget)]
    seen = [dock for dock in docks if dock.session.is_of(viewer) and not dock.visibleRegion().isEmpty()]
    if not seen:
        raise InputError("No dock of Diffuscope is open: Plugins → Diffuscope.")
    focus = QApplication.focusWidget()
    return next((dock for dock in seen if focus is not None and dock.isAncestorOf(focus)), seen[0])


def _panel(viewer: napari.Viewer) -> JobPanel:
    panels: list[JobPanel] = [panel for panel in front_dock(viewer).findChildren(JobPanel) if panel.isVisible()]
    if not panels:
        raise InputError("This dock has nothing to run.")
    return panels[0]


def _press(button: QAbstractButton, what: str) -> None:
    if not button.isVisible() or not button.isEnabled():
        raise InputError(f"There is nothing to press for {what}.")
    button.click()
