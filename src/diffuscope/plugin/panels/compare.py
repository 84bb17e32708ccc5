"""The first half of the dock "Evaluate": two layers of the viewer, their figures, and where they differ."""

from __future__ import annotations

from html import escape
from typing import Any

import napari
from napari.layers import Image
from napari.qt.threading import create_worker
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.layers.compare import Compared, compare, picture_of
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.live import keep_active
from diffuscope.plugin.widgets.pieces import FiguresTable
from diffuscope.plugin.widgets.rows import combo, form_layout, quiet, small_text


class CompareWidget(QWidget):
    """Choose truth and prediction among the image layers, and compare them.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self._layers: list[Any] = []
        self.truth, self.found = combo(), combo()
        self.compare = QPushButton("Compare")
        self.status = small_text()
        self.table = FiguresTable()
        fields = QWidget()
        rows = form_layout(fields)
        rows.addRow("Truth", self.truth)
        rows.addRow("Prediction", self.found)
        layout = QVBoxLayout(self)
        for widget in (fields, self.compare, self.table, self.status):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.compare.clicked.connect(self._compare)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._list)
        self._list()

    @property
    def is_busy(self) -> bool:
        """Whether a comparison goes on."""
        return not self.compare.isEnabled()

    def _list(self, _: Any = None) -> None:
        """List the layers; what was chosen stays, and of a first two the lower is the truth."""
        before = [self._chosen(box) for box in (self.truth, self.found)]
        self._layers = [layer for layer in self.viewer.layers if _is_picture(layer)]
        for box, chosen, first in ((self.truth, before[0], 0), (self.found, before[1], 1)):
            with quiet(box):
                box.clear()
                box.addItems([layer.name for layer in self._layers])
                box.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else first)

    def _chosen(self, box: Any) -> Any:
        return self._layers[box.currentIndex()] if 0 <= box.currentIndex() < len(self._layers) else None

    def _compare(self) -> None:
        truth, found = self._chosen(self.truth), self._chosen(self.found)
        if truth is None or found is None or truth is found:
            self._say("Choose two image layers: the truth, and what is held against it.")
            return
        pictures = picture_of(truth), picture_of(found)

        def job() -> Compared | str:
            try:
                return compare(*pictures)
            except InputError as error:
                return str(error)

        self._say("")
        self.table.show_lines([], [])
        self.compare.setEnabled(False)
        self.compare.setText("Comparing…")
        worker = create_worker(job)
        worker.returned.connect(self._on_compared)
        worker.finished.connect(self._on_finished)
        worker.start()

    def _on_compared(self, outcome: Compared | str) -> None:
        if isinstance(outcome, str):
            self._say(outcome)
            return
        self.table.show_lines(["Measure", "Value"], outcome.lines)
        self._say(outcome.notes)
        data, about, _ = outcome.layer
        with keep_active(self.viewer):
            self.viewer.add_image(data, **about)

    def _on_finished(self) -> None:
        self.compare.setText("Compare")
        self.compare.setEnabled(True)

    def _say(self, text: str) -> None:
        self.status.setText(escape(text))


def _is_picture(layer: Any) -> bool:
    own = own_metadata(layer)
    return isinstance(layer, Image) and layer.ndim == 2 and not {"preview", "evaluation"} & own.keys()
