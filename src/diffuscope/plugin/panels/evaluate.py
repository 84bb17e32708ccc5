"""The second half of the dock "Evaluate": a model over a folder of cases, in the child process, and its report."""

from __future__ import annotations

from html import escape
from typing import Any

import napari
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QProgressBar, QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.plugin.forms.evaluate_fields import EvaluateFields
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.plugin.layers.live import keep_active
from diffuscope.plugin.panels.reported import Reported
from diffuscope.plugin.widgets.pieces import FiguresTable, follow
from diffuscope.plugin.widgets.rows import side_by_side, small_text


class EvaluateWidget(QWidget):
    """Evaluate a model on cases with a truth.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the worst case is shown.
    child : Child
        Where the work is done.

    Attributes
    ----------
    phase : {"idle", "busy", "evaluating", "stopping"}
        What goes on.
    """

    def __init__(self, viewer: napari.Viewer, child: Child) -> None:
        super().__init__()
        self.viewer = viewer
        self.phase = "idle"
        self._child = child
        self._done: Reported | None = None
        # What the report that is shown was made of, whatever is typed since.
        self._asked: dict[str, Any] = {}
        self._build()
        self._work("models", on_message=lambda model: self._on_model(model, choose=False))

    def _build(self) -> None:
        self.fields = EvaluateFields()
        self.form = self.fields.form
        self.evaluate, self.cancel = QPushButton("Evaluate"), QPushButton("Cancel")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.status, self.notices = small_text(), small_text()
        self.table = FiguresTable()
        self.page, self.worst = QPushButton("Open the report"), QPushButton("Show the worst field")
        self.worst.setToolTip("Input, truth, prediction and error as layers, of the field with the largest error")
        self._buttons = side_by_side(self.page, self.worst)
        layout = QVBoxLayout(self)
        parts = (self.fields, side_by_side(self.evaluate, self.cancel), self.bar, self.status)
        for widget in (*parts, self.table, self._buttons, self.notices):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.fields.browse_model.clicked.connect(self._choose_model)
        self.evaluate.clicked.connect(self._evaluate)
        self.cancel.clicked.connect(self._cancel)
        self.page.clicked.connect(self._open_page)
        self.worst.clicked.connect(self._show_worst)
        self._show("idle")

    # --- what the user does ---

    def _choose_model(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Model folder"):
            self._work("describe", on_message=lambda model: self._on_model(model, choose=True), model=folder)

    def _evaluate(self) -> None:
        try:
            asked = self.form.arguments()
        except InputError as error:
            self._say(str(error))
            return
        self._asked = {key: asked[key] for key in ("model", "data", "out", "mpp")}
        self._done = None
        self.table.show_lines([], [])
        self._work("evaluate", on_message=self._on_progress, on_end=self._on_report, **asked)

    def _cancel(self) -> None:
        self._child.cancel()
        self._show("stopping")
        self._say("Stopping: the step at hand ends first.")

    def _open_page(self) -> None:
        if self._done is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self._done.page))

    def _show_worst(self) -> None:
        self._work("worst_case", on_end=self._on_layers, **self._asked)

    # --- what the child tells ---

    def _work(self, command: str, *, on_message: Any = None, on_end: Any = None, **arguments: Any) -> None:
        def told(message: Any) -> None:
            if isinstance(message, Failed | Returned):
                self._show("idle")
            if isinstance(message, Failed):
                self._say(message.sentence)
            elif not isinstance(message, Returned):
                on_message(message)
            elif on_end is not None:
                on_end(message.value)

        self._say("")
        self._show("evaluating" if command == "evaluate" else "busy")
        follow(self._child, command, told, **arguments)

    def _on_model(self, model: ModelFacts, *, choose: bool) -> None:
        # Cases of pictures are what is evaluated; a model for volumes is only taken where it was asked for.
        if choose or not model.takes_volumes:
            self.fields.add_model(model, choose=choose)

    def _on_progress(self, event: Progress | Notice) -> None:
        if isinstance(event, Progress):
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * event.done / event.total))
        if self.phase == "evaluating":
            self._say(event.text if isinstance(event, Progress) else event.sentence)

    def _on_report(self, done: Reported | None) -> None:
        if done is None:
            self._say("Stopped. What was done is kept: “Go on with what is there” takes it.")
            return
        self._done = done
        self._say(f"Done. Worst: {done.worst}.")
        broken = [[text.replace(" [", "\n[") for text in line] for line in done.lines]
        self.table.show_lines(done.header, broken, wrap=True)
        self.notices.setText("".join(f"<p>{escape(notice)}</p>" for notice in done.notices))
        self._show("idle")

    def _on_layers(self, layers: list[Any]) -> None:
        with keep_active(self.viewer):
            for data, about, _ in layers:
                self.viewer.add_image(data, **about)

    def _say(self, text: str) -> None:
        self.status.setText(escape(text))
        self.status.setVisible(bool(text))

    def _show(self, phase: str) -> None:
        self.phase = phase
        idle, done = phase == "idle", self._done is not None
        self.fields.setEnabled(idle)
        self.evaluate.setEnabled(idle)
        self.cancel.setVisible(phase in ("evaluating", "stopping"))
        self.cancel.setEnabled(phase == "evaluating")
        self.bar.setRange(0, 0 if not idle else 1)  # 0: Qt's "working, no telling how long"
        self.bar.setVisible(not idle)
        self._buttons.setVisible(done)
        self._buttons.setEnabled(idle)
        self.notices.setVisible(done)
        self.fields.show_resume()
