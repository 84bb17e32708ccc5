"""What a translation gave: what to look at, what it means, and the way from a slice to the volume."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QPushButton, QVBoxLayout, QWidget

from diffuscope.plugin.layers.links import result_layers_of
from diffuscope.plugin.panels.translation_view import description, is_part, views, visible
from diffuscope.plugin.widgets.rows import combo, fill, quiet, small_text
from diffuscope.results.result import Result


class TranslationResults(QGroupBox):
    """Shows one result of a volume; hidden until there is one.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are shown and hidden.
    """

    whole_asked = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("Translation", parent)
        self._viewer = viewer
        self._result: Result | None = None
        self.view = combo()
        self.view.setToolTip("The image of this result that is shown; the others are hidden")
        self.support = QCheckBox("Show where the source does not support it")
        self.about = small_text()
        self.whole = QPushButton("Whole volume with these settings")
        self.whole.setToolTip("Compute all slices as these were; those that are there come out the same")
        layout = QVBoxLayout(self)
        for widget in (self.view, self.support, self.about, self.whole):
            layout.addWidget(widget)
        self.view.activated.connect(self._look)
        self.support.toggled.connect(self._look)
        self.whole.clicked.connect(self.whole_asked)
        self.hide()

    def show_result(self, result: Result | None) -> None:
        """Fill in everything from a result."""
        self._result = result
        self.setVisible(result is not None)
        if result is None:
            return
        names, layers = views(result), result_layers_of(self._viewer, result)
        seen = [key for key in names if key in layers and layers[key].visible]
        self.view.clear()  # the same keys may have other names: of two samples, of four
        fill(self.view, names, seen[-1] if seen else next(iter(names)))
        self.support.setVisible("support" in {port.key for port in result.ports})
        with quiet(self.support):
            self.support.setChecked("support" in layers and layers["support"].visible)
        self.about.setText(description(result))
        self.whole.setVisible(result.complete and is_part(result))

    def _look(self, _: Any = None) -> None:
        if self._result is None:
            return
        shown = visible(self._result, self.view.currentData(), with_support=self.support.isChecked())
        for key, layer in result_layers_of(self._viewer, self._result).items():
            layer.visible = shown[key]
