"""Which slices of a volume are computed: first and last, shown where a range of them is asked for."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.rows import quiet, spin


class SliceRow(QWidget):
    """Shows the slices of a `RunForm` and writes what the user changes into it."""

    def __init__(self, form: RunForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self.first = spin(0, 0, "First slice, counted from 0 as napari's slider counts")
        self.last = spin(0, 0, "Last slice, itself computed")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for label, field in (("from", self.first), ("to", self.last)):
            row.addWidget(QLabel(label))
            row.addWidget(field, 1)
        self.first.valueChanged.connect(lambda value: setattr(form, "first", value))
        self.last.valueChanged.connect(lambda value: setattr(form, "last", value))
        form.events.connect(self._refresh)
        self._refresh()

    def _refresh(self, _: Any = None) -> None:
        form = self._form
        slices = form.main.slices if form.main else None
        for box, value in ((self.first, form.first), (self.last, form.last)):
            with quiet(box):
                box.setMaximum(max((slices or 1) - 1, 0))
                box.setValue(value)
        self.setVisible(form.region == "slices")
