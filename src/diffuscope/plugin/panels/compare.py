"""The first half of the dock "Evaluate": two layers of the viewer, their figures, and where they differ."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.forms.rows.lead import Wrong
from diffuscope.plugin.forms.rows.sample import SampleButton
from diffuscope.plugin.jobs.compare import compare_in
from diffuscope.plugin.jobs.given.samples import DRAWS, with_sample
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.layers.compare import Compared, picture_of
from diffuscope.plugin.layers.facts import is_result, own_metadata
from diffuscope.plugin.layers.live import add_layers
from diffuscope.plugin.layers.placement import corners, layer_placement
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.widgets.pieces import FiguresTable
from diffuscope.plugin.widgets.rows import combo, form_layout, quiet, small_text

_EMPTY = "Open two pictures of one place first: a truth, and what is held against it."
_VOLUMES = (
    "What is open are volumes, and pictures alone are compared: save a slice of each as a picture, and open both."
)


def _first_of(field: QWidget, _: str) -> QWidget:
    return field


class CompareWidget(QWidget):
    """Choose truth and prediction among the image layers, and compare them.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.
    session : Session
        Of the dock.
    """

    def __init__(self, viewer: napari.Viewer, session: Session) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = session
        self._layers: list[Any] = []
        self._told = ""
        self.truth, self.found = combo(), combo()
        self.jobs = JobPanel(session, run="Compare")
        self.compare, self.notes, self.sample = self.jobs.run, small_text(), SampleButton()
        self.sample.clicked.connect(self._open_sample)
        self.table = FiguresTable()
        fields = QWidget()
        rows = form_layout(fields)
        rows.addRow("Truth", self.truth)
        rows.addRow("Prediction", self.found)
        layout = QVBoxLayout(self)
        for widget in (self.sample, fields, self.jobs, self.table, self.notes):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.wrong = Wrong(session.state, fields, partial(_first_of, self.truth))
        self.compare.clicked.connect(self._compare)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._list)
        self._list()

    def _list(self, _: Any = None) -> None:
        """List the layers; what was chosen stays, and of a first two the lower is the truth."""
        if self.session.is_closed:
            return
        before = [self._chosen(box) for box in (self.truth, self.found)]
        self._layers = [layer for layer in self.viewer.layers if _is_picture(layer)]
        self.sample.setVisible(not self._layers)
        self.jobs.show_hint(self._obstacle)
        for box, chosen, first in ((self.truth, before[0], 0), (self.found, before[1], 1)):
            with quiet(box):
                box.clear()
                box.addItems([layer.name for layer in self._layers])
                box.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else first)

    @property
    def _obstacle(self) -> str:
        """What stands in the way where no picture is open; empty where one is."""
        if self._layers:
            return ""
        is_volume = any(isinstance(layer, Image) and layer.ndim > 2 for layer in self.viewer.layers)
        return _VOLUMES if is_volume else _EMPTY

    def _open_sample(self) -> None:
        with_sample(self.session, "section", self._show_sample)

    def _show_sample(self, folder: Path) -> None:
        for data, about, _ in read_layers([str(folder / name) for name in DRAWS]):
            self.viewer.add_image(data, **about)

    def _chosen(self, box: Any) -> Any:
        return self._layers[box.currentIndex()] if 0 <= box.currentIndex() < len(self._layers) else None

    def _compare(self) -> None:
        truth, found = self._chosen(self.truth), self._chosen(self.found)
        if truth is None or found is None or truth is found:
            self._show(None)
            asked = "Choose two image layers: the truth, and what is held against it."
            self.wrong.tell(InputError(self._obstacle or asked))
            return
        try:
            pictures = picture_of(truth), picture_of(found)
        except InputError as error:
            self._show(None)
            self.wrong.tell(error)
            return
        self._told = " ".join(text for text in (_apart(truth, found), *map(_missing, (truth, found))) if text)
        self.session.submit(
            Job(
                text=f"compare {found.name} with {truth.name}",
                doing="Comparing…",
                work=partial(compare_in, truth=pictures[0], found=pictures[1]),
                stopped="Cancelled.",
                on_start=partial(self._show, None),
                on_end=self._on_compared,
            )
        )

    def _on_compared(self, outcome: Compared | None) -> str | None:
        if outcome is None:
            return None
        self._show(outcome)
        add_layers(self.viewer, [outcome.layer])
        return ""

    def _show(self, outcome: Compared | None) -> None:
        self.table.show_lines(["Measure", "Value"] if outcome else [], outcome.lines if outcome else [])
        self.notes.setText(escape(" ".join(text for text in (self._told, outcome.notes) if text)) if outcome else "")


def _apart(truth: Any, found: Any) -> str:
    """Say of two layers that they do not lie on each other; empty where they do, to half a px."""
    far = np.abs(corners(truth, truth.units) - corners(found, truth.units)).max()
    if far <= 0.5 * layer_placement(truth).steps.max():
        return ""
    return (
        "In the window the two lie at different places, are turned or mirrored, or have different px: they are "
        "compared px by px all the same, which is right only if both are of one field."
    )


def _missing(layer: Any) -> str:
    """Say of how much of a map nothing was computed, which is compared as files give it; empty where all was."""
    if layer.rgb or not is_result(layer):
        return ""
    coarsest = np.asarray(layer.data[-1] if layer.multiscale else layer.data)
    if not np.issubdtype(coarsest.dtype, np.floating) or not (missing := np.isnan(coarsest).mean()):
        return ""
    return f"Of {missing:.0%} of “{layer.name}” nothing was computed, and that counts as the lowest of its range."


def _is_picture(layer: Any) -> bool:
    own = own_metadata(layer)
    return isinstance(layer, Image) and layer.ndim == 2 and not {"preview", "evaluation"} & own.keys()
