"""The fields of the dock "Train", bound to a `TrainForm`."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QWidget

from diffuscope.plugin.forms.card_text import pairs_text
from diffuscope.plugin.forms.out import beside
from diffuscope.plugin.forms.train import SCRATCH, TrainForm
from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.plugin.widgets.elided import PathEdit
from diffuscope.plugin.widgets.pieces import mpp_spin
from diffuscope.plugin.widgets.rows import combo, form_layout, side_by_side, spin


class TrainFields(QWidget):
    """Data, model to begin with, steps, place to write.

    Attributes
    ----------
    form : TrainForm
        What is chosen.
    kept : dict of str to QWidget
        What is remembered: not the pairs, what they say of themselves, and the place.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = TrainForm()
        self.data = PathEdit("Folder or table of pairs")
        self._models: dict[str, ModelFacts] = {}
        self.browse_data = QPushButton("…")
        self.browse_data.setMaximumWidth(48)
        self.browse_data.setToolTip("Choose the folder of pairs")
        self.mpp = mpp_spin()
        self.model = combo()
        self.model.addItem(SCRATCH, SCRATCH)
        self.stain = QLineEdit()
        self.stain.setPlaceholderText("e.g. CD3")
        self.steps = spin(
            1,
            1_000_000,
            "Corrections of the model, by 4 crops each: 300 fine-tune, tens of thousands train anew",
        )
        self.steps.setValue(self.form.steps)
        self.out = PathEdit("Model folder")
        self.out.setPlaceholderText("model folder to write")
        self.resume = QCheckBox("Go on with the unfinished training there")
        self.kept: dict[str, QWidget] = {"model": self.model, "stain": self.stain, "steps": self.steps}
        self._form = form_layout(self)
        self._form.addRow("Pairs", side_by_side(self.data, self.browse_data))
        self._form.addRow("µm/px", self.mpp)
        self._form.addRow("Begin with", self.model)
        self._form.addRow("Stain", self.stain)
        self._form.addRow("Steps", self.steps)
        self._form.addRow("Model", self.out)
        self._form.addRow("", self.resume)
        for edit in (self.data, self.stain, self.out):
            edit.textChanged.connect(self._read)
        self.mpp.valueChanged.connect(self._read)
        self.steps.valueChanged.connect(self._read)
        self.model.currentIndexChanged.connect(self._read)
        self._read()

    def take(self, data: Path, mpp: float = 0.0) -> None:
        """Take pairs, and suggest a folder beside them for the model."""
        self.data.setText(str(data))
        if mpp:
            self.mpp.setValue(mpp)
        if not self.out.text().strip():
            self.out.setText(str(beside(data, "model")))

    def field_of(self, sentence: str) -> QWidget:
        """Return the field that an error is about."""
        about = {"which stain": self.stain, "written": self.out}
        return next((field for words, field in about.items() if words in sentence), self.data)

    @property
    def resumes(self) -> bool:
        """Whether to go on with an unfinished training."""
        return self.resume.isVisibleTo(self) and self.resume.isChecked()

    def add_model(self, model: ModelFacts, *, is_usual: bool) -> None:
        """Offer a known model; the first usual one is chosen, since few have pairs enough to begin anew."""
        self._models[model.name] = model
        self.model.addItem(f"Fine-tune: {model.title}", model.name)
        if is_usual and self.model.currentIndex() == 0:
            self.model.setCurrentIndex(self.model.count() - 1)

    def show_resume(self) -> None:
        """Offer to go on where there is something to go on with."""
        self.resume.setVisible(bool(self.form.out.strip()) and self.form.folder.is_dir())

    def _read(self) -> None:
        form = self.form
        form.data, form.stain, form.out = self.data.text(), self.stain.text(), self.out.text()
        form.mpp, form.steps = self.mpp.value(), self.steps.value()
        form.model = self.model.currentData() or SCRATCH
        self._form.setRowVisible(self.stain, form.model == SCRATCH)
        self.data.setPlaceholderText(pairs_text(self._models.get(form.model)))
        self.show_resume()
