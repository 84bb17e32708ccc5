"""The dock "Train": pairs, a look at them, a model that learns from them in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtGui import QFontDatabase, QPixmap
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.forms.train_fields import TrainFields
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.plugin.widgets.curve import LossCurve
from diffuscope.plugin.widgets.pieces import follow, scrolling
from diffuscope.plugin.widgets.rows import side_by_side, small_text
from diffuscope.training.events import StepDone, TrainingFinished, TrainingStarted, Validated


class TrainDock(QWidget):
    """Train a model on pairs, or fine-tune one of the shelf.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        Where the work is done; default: a process of the dock's own, which gives the GPU back when the dock is closed.

    Attributes
    ----------
    phase : {"idle", "busy", "training", "stopping"}
        What goes on.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.phase = "idle"
        self._child = child or Child()
        self._begun = 0
        self._handlers: dict[str, Callable[[Any], None]] = {"models": self._on_model, "check_data": self._on_progress}
        self._build()
        # A partial of the child, not a method of this widget, which is gone by then.
        self.destroyed.connect(partial(_close, self._child))
        self._work("models")

    def _build(self) -> None:
        self.fields = TrainFields()
        self.form = self.fields.form
        self.look = QPushButton("Look at the data")
        self.report = QPlainTextEdit()
        self.report.setReadOnly(True)
        self.report.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.report.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.report.setFixedHeight(150)
        self.report.hide()
        self.curve = LossCurve()
        self.picture = QLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.status = small_text()
        self.train = QPushButton("Train")
        self.stop = QPushButton("Stop and keep the best")
        inner = QWidget()
        stack = QVBoxLayout(inner)
        stack.setContentsMargins(0, 0, 4, 0)
        for part in (self.fields, self.look, self.report, self.curve, self.picture):
            stack.addWidget(part)
        stack.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(scrolling(inner), 1)
        for widget in (self.bar, self.status, side_by_side(self.train, self.stop)):
            layout.addWidget(widget)
        self.fields.browse_data.clicked.connect(self._choose_data)
        self.look.clicked.connect(self._look)
        self.train.clicked.connect(self._train)
        self.stop.clicked.connect(self._stop)
        self.setMinimumWidth(340)
        self._show("idle")

    # --- what the user does ---

    def _choose_data(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of pairs", self.form.data)
        if folder:
            self.fields.data.setText(folder)

    def _look(self) -> None:
        try:
            data = self.form.source()
        except InputError as error:
            self._say(str(error))
            return
        self.report.clear()
        self.report.show()
        self._work("check_data", data=data, assumed_mpp=self.form.assumed_mpp, **self.form.needs())

    def _train(self) -> None:
        try:
            recipe = self.form.write()
        except InputError as error:
            self._say(str(error))
            return
        self.picture.clear()
        self.curve.clear(self.form.steps)
        self._work("train", recipe=recipe, out=self.form.path, resume=self.fields.resumes)

    def _stop(self) -> None:
        self._child.cancel()
        self._show("stopping")
        self._say("Stopping: the step at hand ends, then the best weights are written.")

    # --- what the child tells ---

    def _work(self, command: str, **arguments: Any) -> None:
        handle = self._handlers.get(command, self._on_event)

        def told(message: Any) -> None:
            if isinstance(message, Failed):
                self._say(message.sentence)
                self._show("idle")
            elif isinstance(message, Returned):
                if command == "check_data":
                    self.report.setPlainText("\n".join(message.value))
                    self._say("")
                self._show("idle")
            else:
                handle(message)

        self._say("")
        self._show("training" if command == "train" else "busy")
        follow(self._child, command, told, **arguments)

    def _on_model(self, model: ModelFacts) -> None:
        self.fields.add_model(model.name, model.title, is_usual=STAINING.lists(model))

    def _on_progress(self, event: Progress | Notice) -> None:
        self._say(event.text if isinstance(event, Progress) else event.sentence)

    def _on_event(self, event: Any) -> None:
        match event:
            case TrainingStarted():
                self.bar.setRange(0, event.steps)
                self.bar.setValue(event.done)
                self._begun = event.done
                self.curve.clear(event.steps)
            case StepDone():
                self.bar.setValue(event.step)
                self.curve.add(event.step, event.terms["loss"], validation=False)
                if self.phase == "training":
                    self._say(self._pace(event))
            case Validated():
                self.curve.add(event.step, event.terms["loss"], validation=True)
                self._show_picture(Path(event.picture))
            case TrainingFinished():
                self._say(_outcome(event))

    def _pace(self, event: StepDone) -> str:
        done = event.step - self._begun
        left = timedelta(seconds=round((event.steps - event.step) * event.seconds / done)) if done > 0 else ""
        where = f"{event.where.capitalize()}: step" if event.where else "Step"
        return f"{where} {event.step} of {event.steps}, loss {event.terms['loss']:.3g}, {left} left"

    def _show_picture(self, path: Path) -> None:
        pixels = QPixmap(str(path))
        self.picture.setPixmap(pixels.scaledToWidth(min(self.width() - 28, pixels.width())))
        self.picture.setToolTip(f"H&E, truth, sample of validation cases\n{path}")

    def _say(self, text: str) -> None:
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def _show(self, phase: str) -> None:
        self.phase = phase
        self.fields.setEnabled(phase == "idle")
        self.look.setEnabled(phase == "idle")
        self.train.setEnabled(phase == "idle")
        self.stop.setVisible(phase in ("training", "stopping"))
        self.stop.setEnabled(phase == "training")
        if phase == "busy":
            self.bar.setRange(0, 0)  # Qt's "working, no telling how long"
        elif phase == "idle" and self.bar.maximum() == 0:
            self.bar.setRange(0, 1)
        self.bar.setVisible(phase != "idle")
        self.fields.show_resume()


def _outcome(event: TrainingFinished) -> str:
    if not event.out:
        when = f"in {event.where}" if event.where else "before the first validation"
        return f"Stopped at step {event.step}, {when}; Train with “Go on” continues."
    figures = ", ".join(f"{name} {value:.3g}" for name, value in event.figures.items())
    how = "Done" if event.complete else f"Stopped at step {event.step} of {event.steps}"
    return f"{how}: {event.out} has the weights of step {event.kept} ({figures})."


def _close(child: Child, _: Any = None) -> None:
    child.close()
