"""The dock "Register": a slide and its restain brought together in a process of its own, and judged by eye."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import napari
from napari.layers import Image, Points
from napari.qt.threading import create_worker
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QProgressBar, QPushButton, QScrollArea, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.plugin.docks.run import ask_overwrite
from diffuscope.plugin.forms.register_fields import RegisterFields, SlideRows
from diffuscope.plugin.forms.run import unused
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.process import Failed
from diffuscope.plugin.jobs.register import Request, register
from diffuscope.plugin.layers.facts import is_result
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.layers.veil import VeiledSlide
from diffuscope.plugin.panels.veil import VeilWidget
from diffuscope.plugin.widgets.rows import side_by_side, small_text
from diffuscope.results.result import Result


class RegisterDock(QWidget):
    """Register a restained slide to its H&E.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        Where the work is done; default: a process of the dock's own.

    Attributes
    ----------
    phase : {"idle", "running", "cancelling"}
        What goes on.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.phase = "idle"
        self._child = child or Child()
        self._stop = threading.Event()
        self._build()
        events = napari_viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            event.connect(self._layers_changed)
        # A partial of the child, not a method of this widget, which is gone by then.
        self.destroyed.connect(partial(_close, self._child))
        self._layers_changed()
        self._library_is_there()

    def _build(self) -> None:
        self.fields = RegisterFields()
        self.form = self.fields.form
        self.compare = VeilWidget(self.viewer)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setRange(0, 0)  # Qt's "working, no telling how long"
        self.status = small_text()
        self.run = QPushButton("Run")
        self.cancel = QPushButton("Cancel")
        inner = QWidget()
        stack = QVBoxLayout(inner)
        stack.setContentsMargins(0, 0, 4, 0)
        stack.addWidget(self.fields)
        stack.addWidget(self.compare)
        stack.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidget(inner)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.area, 1)
        for widget in (self.bar, self.status, side_by_side(self.run, self.cancel)):
            layout.addWidget(widget)
        self.fields.file_chosen.connect(self._open)
        self.run.clicked.connect(self._run)
        self.cancel.clicked.connect(self._cancel)
        self.setMinimumWidth(340)
        self._say("")
        self._show("idle")

    # --- what the viewer tells ---

    def _layers_changed(self, _: Any = None) -> None:
        slides = [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and layer.ndim == 2 and not is_result(layer)
        ]
        self.fields.set_layers(slides, [layer for layer in self.viewer.layers if isinstance(layer, Points)])

    # --- what the user does ---

    def _open(self, rows: SlideRows, path: str) -> None:
        try:
            layers = read_layers(path)
        except InputError as error:
            self._say(str(error))
            return
        added = [self.viewer.add_image(data, **about) for data, about, _ in layers]
        self.fields.choose(rows, added[0])

    def _run(self) -> None:
        if not self._library_is_there():
            return
        try:
            out, overwrite = self.form.path, False
            if self.form.out.strip() and out.exists():
                answer = ask_overwrite(self, out)
                if answer == "cancel":
                    return
                overwrite = answer == "replace"
                if answer == "both":
                    self.fields.out.setText(str(unused(out)))
            request = self.form.request(overwrite=overwrite)
        except InputError as error:
            self._say(str(error))
            return
        self._work(request)

    def _cancel(self) -> None:
        self._stop.set()
        self._show("cancelling")

    # --- what the child tells ---

    def _work(self, request: Request) -> None:
        fixed, moving = self.form.fixed.layer, self.form.moving.layer
        stop = self._stop = threading.Event()

        def job() -> Any:  # napari tells a generator worker from a function worker by the kind of function
            yield from register(self._child, request, stop)

        def told(message: Any) -> None:
            if self._child.is_closed or message is None:
                return
            if isinstance(message, Progress):
                self._say(message.text)
                return
            self._show("idle")
            if isinstance(message, Failed):
                self._say(message.sentence)
            elif message.result is None:
                self._say("Cancelled: nothing was written.")
            else:
                self._say(f"Wrote {message.result.path}")
                self._show_result(message.result, request, fixed, moving)

        self._say("Starting")
        self._show("running")
        worker = create_worker(job)
        worker.yielded.connect(told)
        worker.errored.connect(lambda error: told(Failed(f"{type(error).__name__}: {error}.")))
        worker.start()

    def _show_result(self, result: Result, request: Request, fixed: Any, moving: Any) -> None:
        layers, slide = self.viewer.layers, VeiledSlide(result, request.placement)
        layer = self.viewer.add_image(slide.data, **slide.about)
        if fixed in layers:
            fixed.visible = True
            layers.move(layers.index(layer), layers.index(fixed) + 1)  # what the curtain hides shows the H&E
        if moving in layers:
            moving.visible = False
        self.compare.show_result(result, layer, slide)
        # once the layout knows its new height
        QTimer.singleShot(0, self, lambda: self.area.ensureWidgetVisible(self.compare))

    # --- what is shown ---

    def _library_is_there(self) -> bool:
        from diffuscope.registration.library import check_library  # its room brings scipy in

        try:
            check_library()
        except InputError as error:
            self._say(str(error))
            return False
        return True

    def _say(self, text: str) -> None:
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def _show(self, phase: str) -> None:
        self.phase = phase
        self.fields.setEnabled(phase == "idle")
        self.run.setEnabled(phase == "idle")
        self.cancel.setVisible(phase != "idle")
        self.cancel.setEnabled(phase == "running")
        self.cancel.setText("Cancelling…" if phase == "cancelling" else "Cancel")
        self.bar.setVisible(phase != "idle")


def _close(child: Child, _: Any = None) -> None:
    child.close()
