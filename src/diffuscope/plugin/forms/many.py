"""The fields of the dock "Many slides": which, by which model, where to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.forms.card_text import preset_names
from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.plugin.settings.preferences import cluster_for, preferences, tiles_at_once
from diffuscope.plugin.widgets.elided import PathEdit
from diffuscope.plugin.widgets.pieces import mpp_spin
from diffuscope.plugin.widgets.rows import combo, form_layout, side_by_side, spin

#: What stands for the quality that a model has by default.
_DEFAULT = "As the model has it"


class ManyFields(QWidget):
    """Slides and the µm/px of those that state none, model, quality, place to write.

    Attributes
    ----------
    folder, file, place : QPushButton
        To look for slides in a folder, for a table or a project, and for the place of the results.
    kept : dict of str to QWidget
        What is remembered: not the slides, what they say of themselves, the place and what belongs to one run.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slides = PathEdit("Slides")
        self.slides.setPlaceholderText("folder, table (.csv), .qpproj, or qupath:")
        self.slides.setToolTip(
            "A folder of slides or volumes, a pattern as slides/**/*.svs, a table with the columns file, name and "
            "region, a QuPath project, or qupath: for what is selected in the QuPath that runs"
        )
        self.folder, self.file, self.place = QPushButton("Folder…"), QPushButton("File…"), QPushButton("…")
        self.place.setMaximumWidth(48)
        self.place.setToolTip("Choose the folder of results")
        self.model, self.quality = combo(), combo()
        self.mpp = mpp_spin()
        self.seed = spin(0, 2**31 - 1, "Of the noise: the same seed gives the same result")
        self.out = PathEdit("Folder of results")
        self.out.setPlaceholderText("folder for all results")
        self.again = QCheckBox("Begin all again")
        self.again.setToolTip(
            "Replaces what is there. Without it what is done is left alone, and what was begun is gone on with"
        )
        self.kept: dict[str, QWidget] = {"model": self.model, "quality": self.quality}
        form = form_layout(self)
        form.addRow("Slides", self.slides)
        form.addRow("", side_by_side(self.folder, self.file))
        form.addRow("µm/px", self.mpp)
        form.addRow("Model", self.model)
        form.addRow("Quality", self.quality)
        form.addRow("Seed", self.seed)
        form.addRow("Results", side_by_side(self.out, self.place))
        form.addRow("", self.again)
        self._models: dict[str, ModelFacts] = {}
        self._suggested = ""
        self.model.currentIndexChanged.connect(self._show_qualities)
        self.model.currentIndexChanged.connect(self._suggest)
        self.slides.textChanged.connect(self._suggest)

    def add_models(self, models: list[ModelFacts]) -> None:
        """Offer models by title."""
        self._models |= {one.name: one for one in models}
        for one in models:
            self.model.addItem(one.title, one.name)

    def _suggest(self, _: Any = None) -> None:
        """Suggest a place for the results beside the slides, unless the user has chosen one."""
        place = Path(self.slides.text().strip())
        # while a path is typed it is "/" or ".." at times, beside which nothing lies
        if place.name not in ("", "..") and self.out.text() in ("", self._suggested):
            self._suggested = str(place.with_name(f"{place.stem}-{self.model.currentData() or 'results'}"))
            self.out.setText(self._suggested)

    def field_of(self, sentence: str) -> QWidget:
        """Return the field that an error is about."""
        about = {"written": self.out, "model": self.model}
        return next((field for words, field in about.items() if words in sentence), self.slides)

    def arguments(self) -> dict[str, Any]:
        """Return what `diffuscope.run_many` takes.

        Raises
        ------
        InputError
            Something is missing.
        """
        slides, out = self.slides.text().strip(), self.out.text().strip()
        if not slides:
            raise InputError("Choose the slides: a folder, a table or a QuPath project.")
        if not out:
            raise InputError("Say which folder the results are to be written to.")
        if (model := self._models.get(self.model.currentData())) is None:
            raise InputError("Choose a model.")
        again = self.again.isChecked()
        return {
            "model": model.name,
            "slides": slides if slides.startswith("qupath:") else str(Path(slides).expanduser().absolute()),
            "out": Path(out).expanduser().absolute(),
            "assumed_mpp": self.mpp.value() or None,
            "quality": self.quality.currentData(),
            "seed": self.seed.value(),
            "device": preferences().device,
            "batch": tiles_at_once(model),
            "scheduler": cluster_for(model),
            "overwrite": again,
            "resume": not again,
        }

    def _show_qualities(self) -> None:
        model = self._models.get(self.model.currentData())
        self.quality.clear()
        self.quality.addItem(_DEFAULT, None)
        for key, name in (preset_names(model) if model is not None else {}).items():
            self.quality.addItem(name, key)
