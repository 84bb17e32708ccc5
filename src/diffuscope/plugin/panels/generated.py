"""Images that a model of texts and images made: all of them side by side, or one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from diffuscope.exports.shown import shown_ports
from diffuscope.plugin.layers.links import result_layers_of
from diffuscope.plugin.panels.translation_view import spreads_of
from diffuscope.plugin.widgets.rows import combo, fill, small_text
from diffuscope.ports.raster import Raster
from diffuscope.results.result import Result

#: What is chosen for all images at once, which is no key of a port.
ALL = ""


class GeneratedPanel(QGroupBox):
    """Shows which images of a result are seen; hidden where it has none.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are shown and hidden, and whose grid has them side by side.

    Attributes
    ----------
    view : QComboBox
        What is seen.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("Generated images", parent)
        self._viewer = viewer
        self._result: Result | None = None
        self._is_ours = False
        self._looked: set[Path] = set()
        self.view, about = combo(), small_text()
        self.view.setToolTip("Which images of this result are seen")
        about.setText("<b>Generated: no scan, no measurement, not for diagnosis.</b>")
        layout = QVBoxLayout(self)
        layout.addWidget(self.view)
        layout.addWidget(about)
        self.view.activated.connect(self._look)
        self.hide()

    def show_result(self, result: Result | None) -> None:
        """Offer the images of a result, and show all of one that is new."""
        self._result = result
        self.setVisible(result is not None and bool(result.ports))
        if result is None or not result.ports:
            self._spread(False)
            return
        names = views(result)
        self.view.clear()
        if result.path not in self._looked:
            self._looked.add(result.path)
            fill(self.view, names, next(iter(names)))
            self._look()
            return
        seen = [key for key, layer in result_layers_of(self._viewer, result).items() if layer.visible and key in names]
        fill(self.view, names, seen[0] if len(seen) == 1 else next(iter(names)))

    def _look(self, _: Any = None) -> None:
        if self._result is None:
            return
        chosen = self.view.currentData()
        seen = {port.key for port in mains(self._result)} if chosen == ALL else {chosen}
        for key, layer in result_layers_of(self._viewer, self._result).items():
            layer.visible = key in seen
        self._spread(chosen == ALL)

    def _spread(self, is_on: bool) -> None:
        """Have layers side by side, or no more; a grid that the user made stays."""
        grid = self._viewer.canvas.grid
        if is_on != grid.enabled and (is_on or self._is_ours):
            grid.enabled = self._is_ours = is_on
            self._viewer.reset_view()


def mains(result: Result) -> list[Raster]:
    """Return the images of a result that do not tell of another one's spread."""
    spreads = spreads_of(result)
    return [port for port in result.ports if port.key not in spreads]


def views(result: Result) -> dict[str, str]:
    """Return what can be looked at, name by key: all images at once where there are several, then each.

    The spread of one sample is nothing to look at.
    """
    own = mains(result)
    found = {ALL: "All side by side"} if len(own) > 1 else {}
    return found | {port.key: port.name for port in shown_ports(result)}
