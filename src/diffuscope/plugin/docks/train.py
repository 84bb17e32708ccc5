"""The dock "Train": pairs, a look at them, a model that learns from them in the compute process."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtGui import QFontDatabase, QPixmap
from qtpy.QtWidgets import QFileDialog, QLabel, QPlainTextEdit, QPushButton, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.docks.frame.assemble import assemble
from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.forms.rows.lead import Wrong
from diffuscope.plugin.forms.rows.sample import SampleButton
from diffuscope.plugin.forms.train import run_folder
from diffuscope.plugin.forms.train_fields import TrainFields
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.given.samples import PAIRS_MPP, with_sample
from diffuscope.plugin.jobs.job import Job, verb
from diffuscope.plugin.jobs.run_session import known_models
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.settings.fields import keep_fields, take_up_fields
from diffuscope.plugin.settings.preferences import preferences
from diffuscope.plugin.widgets.curve import LossCurve
from diffuscope.training.events import StepDone, TrainingStarted, Validated

_TITLE = "Train"


class TrainDock(QWidget):
    """Train a model on pairs, or fine-tune one that is there.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        As of `Session`.

    Attributes
    ----------
    session : Session
        Its jobs.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = Session(napari_viewer, _TITLE, child)
        self._build()
        # of pictures, not of whole cases or volumes
        for model in (one for one in known_models() if not one.whole and one.axes == "yx"):
            self.fields.add_model(model, is_usual=STAINING.lists(model))
        take_up_fields(_TITLE, self.fields.kept)

    def _build(self) -> None:
        self.fields = TrainFields()
        self.form = self.fields.form
        self.check, self.sample = QPushButton("Check the data"), SampleButton()
        self.report = QPlainTextEdit()
        self.report.setReadOnly(True)
        self.report.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.report.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.report.setFixedHeight(150)
        self.report.hide()
        self.curve = LossCurve()
        self.picture = QLabel()
        self.jobs = JobPanel(self.session, run="Train", cancel="Stop and keep the best")
        parts = (self.sample, self.fields, self.check, self.report, self.curve, self.picture)
        assemble(self, _TITLE, parts, jobs=self.jobs)
        self.wrong = Wrong(self.session.state, self.fields, self.fields.field_of)
        self.sample.clicked.connect(self._open_sample)
        self.fields.data.textChanged.connect(self._show_empty)
        self._show_empty()
        self.fields.browse_data.clicked.connect(self._choose_data)
        self.check.clicked.connect(self._check)
        self.jobs.run.clicked.connect(self._train)
        self.session.state.events.phase.connect(self.fields.show_resume)

    # --- what the user does ---

    def _open_sample(self) -> None:
        with_sample(self.session, "pairs", lambda folder: self.fields.take(folder / "pairs", PAIRS_MPP))

    def _choose_data(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of pairs", self.form.data)
        if folder:
            self.fields.take(Path(folder))

    def _check(self) -> None:
        try:
            data = self.form.source()
        except InputError as error:
            self.wrong.tell(error)
            return
        self.session.submit(
            Job(
                text=f"check {data.name}",
                doing=f"Looking {data.name} over…",
                work=verb("check_data", data=data, assumed_mpp=self.form.assumed_mpp, **self.form.needs()),
                stopped="Cancelled.",
                on_end=self._show_report,
            )
        )

    def _train(self) -> None:
        try:
            self.session.check_free(self.form.path)
            recipe = self.form.write()
        except InputError as error:
            self.wrong.tell(error)
            return
        self.session.submit(self._job(recipe, self.form.path, self.form.steps, resume=self.fields.resumes))
        keep_fields(_TITLE, self.fields.kept)

    def _job(self, recipe: Path, out: Path, steps: int, *, resume: bool) -> Job:
        folder = run_folder(out)

        def again() -> Job | None:
            return self._job(recipe, out, steps, resume=True) if folder.is_dir() else None

        return Job(
            text=f"train {out.name}, {steps:,} step{'s' if steps != 1 else ''}",
            doing="Reading the data…",
            work=verb("train", recipe=recipe, out=out, device=preferences().device, resume=resume),
            out=out,
            again=again,
            on_start=partial(self._clear, steps),
            on_event=self._show,
        )

    # --- what is shown ---

    def _show_empty(self, _: Any = None) -> None:
        """Say what to do while nothing is chosen."""
        is_empty = not self.fields.data.text().strip()
        self.sample.setVisible(is_empty)
        self.jobs.show_hint("Choose the folder of your pairs first: … beside Pairs." if is_empty else "")

    def _clear(self, steps: int) -> None:
        self.picture.clear()
        self.curve.clear(steps)

    def _show(self, event: Any) -> None:
        match event:
            case TrainingStarted():
                self.curve.clear(event.steps)
            case StepDone():
                self.curve.add(event.step, event.terms["loss"], validation=False)
            case Validated():
                self.curve.add(event.step, event.terms["loss"], validation=True)
                self._show_picture(Path(event.picture))

    def _show_report(self, lines: list[str] | None) -> str | None:
        if lines is None:
            return None
        self.report.setPlainText("\n".join(lines))
        self.report.show()
        return ""

    def _show_picture(self, path: Path) -> None:
        pixels = QPixmap(str(path))
        self.picture.setPixmap(pixels.scaledToWidth(min(self.width() - 28, pixels.width())))
        self.picture.setToolTip(f"H&E, truth, sample of validation cases\n{path}")
