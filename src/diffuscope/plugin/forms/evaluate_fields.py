"""The fields of the dock "Evaluate", bound to an `EvaluateForm`."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QFileDialog, QToolButton, QWidget

from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.forms.card_text import pairs_text, preset_names
from diffuscope.plugin.forms.evaluate import EvaluateForm
from diffuscope.plugin.forms.out import beside
from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.plugin.widgets.elided import PathEdit
from diffuscope.plugin.widgets.pieces import mpp_spin
from diffuscope.plugin.widgets.rows import combo, fill, form_layout, side_by_side, spin


class EvaluateFields(QWidget):
    """Model, cases, how to run, place to write.

    Attributes
    ----------
    form : EvaluateForm
        What is chosen.
    kept : dict of str to QWidget
        What is remembered: not the cases, what they say of themselves, and the place.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = EvaluateForm()
        self._models: dict[str, ModelFacts] = {}
        self.model, self.quality = combo(), combo()
        self.browse_model = _dots("Choose a model folder")
        self.data, self.out = PathEdit("Folder or table of cases"), PathEdit("Folder of the report")
        self.data.setPlaceholderText(pairs_text(None))
        self.out.setPlaceholderText("folder of the report to write")
        self.browse_data, self.browse_out = _dots("Choose the folder of cases"), _dots("Choose a folder")
        self.mpp = mpp_spin()
        self.samples = spin(1, 64, "Samples per tile: with two or more, uncertainty is held against the error")
        self.resume = QCheckBox("Go on with what is there")
        self.kept: dict[str, QWidget] = {"model": self.model, "quality": self.quality, "samples": self.samples}
        self._rows = form_layout(self)
        self._rows.addRow("Model", side_by_side(self.model, self.browse_model))
        self._rows.addRow("Cases", side_by_side(self.data, self.browse_data))
        self._rows.addRow("µm/px", self.mpp)
        self._rows.addRow("Quality", self.quality)
        self._rows.addRow("Samples", self.samples)
        self._rows.addRow("Report", side_by_side(self.out, self.browse_out))
        self._rows.addRow("", self.resume)
        for edit in (self.data, self.out):
            edit.textChanged.connect(self._read)
        for box in (self.mpp, self.samples):
            box.valueChanged.connect(self._read)
        self.model.currentIndexChanged.connect(self._show_presets)
        self.quality.currentIndexChanged.connect(self._read)
        self.resume.toggled.connect(self._read)
        self.browse_data.clicked.connect(self._browse_data)
        self.browse_out.clicked.connect(self._browse_out)
        self._read()

    def add_model(self, model: ModelFacts, *, choose: bool) -> None:
        """List a model; without a choice the first one that stains stands there."""
        if model.name not in self._models:
            self.model.addItem(model.title, model.name)
        self._models[model.name] = model
        shown = self._models.get(self.model.currentData() or "")
        if choose or (STAINING.lists(model) and shown is not None and not STAINING.lists(shown)):
            self.model.setCurrentIndex(self.model.findData(model.name))
        self._show_presets()

    @property
    def chosen(self) -> ModelFacts:
        """The model that is chosen."""
        return self._models[self.form.model]

    def take(self, data: Path, mpp: float = 0.0) -> None:
        """Take cases, and suggest a folder beside them for the report."""
        self.data.setText(str(data))
        if mpp:
            self.mpp.setValue(mpp)
        if not self.out.text().strip():
            self.out.setText(str(beside(data, "report")))

    def field_of(self, sentence: str) -> QWidget:
        """Return the field that an error is about."""
        about = {"Choose a model": self.model, "pairs": self.data}
        return next((field for words, field in about.items() if words in sentence), self.out)

    def show_resume(self) -> None:
        """Offer to go on where there is something to go on with."""
        self._rows.setRowVisible(self.resume, self.form.is_taken)

    def _show_presets(self) -> None:
        model = self._models.get(self.model.currentData() or "")
        if model is not None:
            self.data.setPlaceholderText(pairs_text(model))
            names = preset_names(model)
            fill(self.quality, names, self.form.quality if self.form.quality in names else next(iter(names)))
        self._read()

    def _browse_data(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Folder of cases", self.data.text()):
            self.take(Path(folder))

    def _browse_out(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Folder of the report", self.out.text()):
            self.out.setText(folder)

    def _read(self) -> None:
        form = self.form
        form.model, form.quality = self.model.currentData() or "", self.quality.currentData() or ""
        form.data, form.out = self.data.text(), self.out.text()
        form.mpp, form.samples = self.mpp.value(), self.samples.value()
        form.resume = self.resume.isChecked()
        self.show_resume()


def _dots(tip: str) -> QToolButton:
    button = QToolButton()
    button.setText("…")
    button.setToolTip(tip)
    return button
