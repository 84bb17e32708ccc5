"""By which picture the stains of a small cut are measured: the slide that it is of, or a folder of its cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QToolButton, QWidget

from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.elided import PathEdit
from diffuscope.plugin.widgets.pieces import weakly


class StainsRow(QWidget):
    """Shows `RunForm.stains_of` and writes what the user changes into it; hidden where nothing is normalised."""

    def __init__(self, form: RunForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self.path = PathEdit(
            "Of a small cut: the slide that it was cut from, or a folder of such cuts. Alone it shows badly how its "
            "slide is stained"
        )
        self.path.setPlaceholderText("the picture itself")
        self.path.setAccessibleName("Stains measured on")
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip("Choose the slide that a small cut is of")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((QLabel("by the stains of"), 0), (self.path, 1), (self.browse, 0)):
            row.addWidget(widget, stretch)
        self.path.textEdited.connect(lambda text: setattr(form, "stains_of", text))
        self.browse.clicked.connect(weakly(self._pick))
        form.events.connect(self._refresh)
        self._refresh()

    def _pick(self, _: Any = None) -> None:
        main = self._form.main
        folder = str(main.path.parent) if main is not None and main.path is not None else ""
        path, _filter = QFileDialog.getOpenFileName(self, "Slide that this was cut from", folder)
        if path:
            self._form.stains_of = str(Path(path))

    def _refresh(self, _: Any = None) -> None:
        if self.path.text() != self._form.stains_of:
            self.path.setText(self._form.stains_of)
        self.setVisible(self._form.is_normalised)
