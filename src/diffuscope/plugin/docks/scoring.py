"""The dock "Lymph-node scoring": a CT with outlines, and tables, become the probability of a metastasis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer

from diffuscope.exports.table import ALL
from diffuscope.plugin.docks.first import COHORT
from diffuscope.plugin.docks.kinds import SCORING
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.run import Request
from diffuscope.plugin.panels.scoring import RESEARCH, ScorePanel
from diffuscope.plugin.widgets.rows import small_text
from diffuscope.results.result import Result
from diffuscope.sample_data import sample_path

#: Whose CT the sample is.
PATIENT = "P0000"


class ScoringDock(RunDock):
    """Scores one patient from what a viewer shows and what is typed or read from tables.

    Attributes
    ----------
    score : ScorePanel
        What came out.
    unknown : QLabel
        What the model is not given, before Run.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.
    """

    kind = SCORING

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__(napari_viewer, child)
        self.score.report_asked.connect(self._report)
        self.results.anonymous.toggled.connect(self._leave_out)

    def _build(self) -> None:
        super()._build()
        self.score, self.unknown, research = ScorePanel(), small_text(), small_text()
        self.results.says_outcome = False  # the panel does
        inner: Any = self.results.parentWidget()
        stack = inner.layout()
        stack.insertWidget(stack.indexOf(self.results), self.score)
        research.setText(f"<b>{RESEARCH}</b>")
        whole: Any = self.layout()
        for place, label in enumerate((self.unknown, research), start=1):
            whole.insertWidget(place, label)

    def _open_sample(self) -> None:
        super()._open_sample()
        patient = self.fields.given.patient
        if patient is not None:
            patient.read([sample_path(COHORT)])
            patient.choose(PATIENT)

    def _leave_out(self, anonymous: bool) -> None:
        self.score.is_anonymous = anonymous

    def _report(self, path: str) -> None:
        if self.session.result is not None:
            self.session.export(self.session.result, Path(path), ALL, anonymous=self.results.anonymous.isChecked())

    def _show_result(self, result: Result | None) -> None:
        super()._show_result(result)
        request = self._request
        self.score.show_result(result, request.patient if request is not None else "")
        self._show_other()
        if result is not None:
            # once the layout knows its new height
            QTimer.singleShot(0, self, lambda: self.form_area.ensureWidgetVisible(self.score))

    def _show_state(self, _: Any = None) -> None:
        super()._show_state()
        self.score.report.setEnabled(self.session.state.is_idle)
        self._show_other()
        self.unknown.setText(self.form.unknown_text())
        self.unknown.setVisible(bool(self.unknown.text()))

    @property
    def _request(self) -> Request | None:
        """What the shown score was computed of; None where another dock, or nobody in this window, computed it."""
        shown = self.session.result
        return self.session.made_of.get(shown.path) if shown is not None else None

    def _show_other(self) -> None:
        """Say whether an input is another one than the shown score was computed of."""
        request, form = self._request, self.form
        ports = form.model.inputs if form.model else ()
        images = {port.key: one for port, one in zip(ports, form.inputs, strict=False) if one is not None}
        self.score.other.setVisible(
            request is not None
            and request.masks is not None
            and (request.patient, request.given, {one.key: one.facts for one in request.inputs}, request.masks)
            != (form.patient, form.given, images, form.masks)
        )
