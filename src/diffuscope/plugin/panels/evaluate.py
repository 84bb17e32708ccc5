"""The second half of the dock "Evaluate": a model over a folder of cases, in the compute process, and its report."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

import napari
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.forms.evaluate_fields import EvaluateFields
from diffuscope.plugin.forms.rows.lead import Wrong
from diffuscope.plugin.forms.rows.sample import SampleButton
from diffuscope.plugin.jobs.given.samples import PAIRS_MPP, with_sample
from diffuscope.plugin.jobs.job import Job, verb
from diffuscope.plugin.jobs.run_session import folder_model, known_models
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.layers.live import add_layers
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.panels.reported import Reported
from diffuscope.plugin.settings.fields import keep_fields, take_up_fields
from diffuscope.plugin.settings.preferences import preferences, tiles_at_once
from diffuscope.plugin.widgets.pieces import FiguresTable
from diffuscope.plugin.widgets.rows import side_by_side, small_text

_TITLE = "Evaluate"


class EvaluateWidget(QWidget):
    """Evaluate a model on cases with a truth.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the worst case is shown.
    session : Session
        Of the dock.
    """

    def __init__(self, viewer: napari.Viewer, session: Session) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = session
        self._done: Reported | None = None
        # What the report that is shown was made of, whatever is typed since.
        self._source: dict[str, Any] = {}
        self._build()
        for model in known_models():
            # Cases of pictures are what is evaluated; a model for volumes is only taken where it was asked for, and one
            # that takes any of its inputs makes no one image that could be held against the truth.
            if model.axes == "yx" and any(port.required for port in model.inputs):
                self.fields.add_model(model, choose=False)
        take_up_fields(_TITLE, self.fields.kept)

    def _build(self) -> None:
        self.fields = EvaluateFields()
        self.form = self.fields.form
        self.jobs = JobPanel(self.session, run="Evaluate")
        self.evaluate, self.cancel, self.status = self.jobs.run, self.jobs.cancel, self.jobs.status
        self.notices, self.sample = small_text(), SampleButton()
        self.table = FiguresTable()
        self.page, self.worst = QPushButton("Open the report"), QPushButton("Show the worst field")
        self.worst.setToolTip("Input, truth, prediction and error as layers, of the field with the largest error")
        self.wrong = Wrong(self.session.state, self.fields, self.fields.field_of)
        self._buttons = side_by_side(self.page, self.worst)
        layout = QVBoxLayout(self)
        for widget in (self.sample, self.fields, self.jobs, self.table, self._buttons, self.notices):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.sample.clicked.connect(self._open_sample)
        self.fields.data.textChanged.connect(self._show_empty)
        self._show_empty()
        self.fields.browse_model.clicked.connect(self._choose_model)
        self.evaluate.clicked.connect(self._evaluate)
        self.page.clicked.connect(self._open_page)
        self.worst.clicked.connect(self._show_worst)
        self.session.state.events.phase.connect(self._show_state)
        self._show_report()

    # --- what the user does ---

    def _open_sample(self) -> None:
        with_sample(self.session, "pairs", lambda folder: self.fields.take(folder / "pairs", PAIRS_MPP))

    def _choose_model(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Model folder"):
            try:
                self.fields.add_model(folder_model(folder), choose=True)
            except InputError as error:
                self.session.state.complain(str(error))

    def _evaluate(self) -> None:
        try:
            # Of a job of this window's own more can be said than of any process that holds the place.
            self.session.check_free(self.form.path)
            arguments = self.form.arguments()
        except InputError as error:
            self.wrong.tell(error)
            return
        where = {"device": preferences().device, "batch": tiles_at_once(self.fields.chosen)}
        self.session.submit(self._job(arguments | where))
        keep_fields(_TITLE, self.fields.kept)

    def _job(self, arguments: dict[str, Any]) -> Job:
        def again() -> Job | None:
            return self._job({**arguments, "resume": True}) if arguments["out"].is_dir() else None

        return Job(
            text=f"evaluate {arguments['model']} on {arguments['data'].name}",
            doing="Loading the model…",
            work=verb("evaluate", **arguments),
            out=arguments["out"],
            again=again,
            stopped="Stopped. What was done is kept: “Go on with what is there” takes it.",
            on_start=self._clear,
            on_end=partial(self._on_report, arguments),
        )

    def _open_page(self) -> None:
        if self._done is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self._done.page))

    def _show_worst(self) -> None:
        self.session.submit(
            Job(
                text=f"show the worst field of {self._source['out'].name}",
                doing="Reading the worst field…",
                work=verb("worst_case", **self._source),
                on_end=self._on_layers,
            )
        )

    # --- what came out ---

    def _clear(self) -> None:
        self._done = None
        self._show_report()

    def _on_report(self, arguments: dict[str, Any], done: Reported | None) -> str | None:
        if done is None:
            return None
        self._done = done
        self._source = {key: arguments[key] for key in ("model", "data", "out", "mpp")}
        self._show_report()
        return f"Done. Worst: {done.worst}."

    def _on_layers(self, layers: list[Any] | None) -> str | None:
        if layers is None:
            return None
        add_layers(self.viewer, layers)
        return ""

    def _show_report(self) -> None:
        done = self._done
        lines = [[text.replace(" [", "\n[") for text in line] for line in done.lines] if done else []
        self.table.show_lines(done.header if done else [], lines, wrap=True)
        self.notices.setText("".join(f"<p>{escape(notice)}</p>" for notice in done.notices) if done else "")
        self.notices.setVisible(done is not None)
        self._show_state()

    def _show_empty(self, _: Any = None) -> None:
        """Say what to do while nothing is chosen."""
        is_empty = not self.fields.data.text().strip()
        self.sample.setVisible(is_empty)
        self.jobs.show_hint("Choose the folder of cases with a truth first: … beside Cases." if is_empty else "")

    def _show_state(self, _: Any = None) -> None:
        self._buttons.setVisible(self._done is not None)
        self._buttons.setEnabled(self.session.state.is_idle)
        self.fields.show_resume()
