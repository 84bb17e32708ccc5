"""Tables and texts that a model takes as rows of the form: made of what the system declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from qtpy.QtWidgets import QFormLayout, QPlainTextEdit, QWidget

from diffuscope.plugin.forms.cases.patient_row import PatientRow, Rows
from diffuscope.plugin.forms.cases.table_box import TableBox
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.rows import RowBlock
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text

# A text needs more than a line, and Run must stay in sight.
_TEXT_HEIGHT = 80


class GivenRows:
    """Shows a field for each column of the model's tables and each text, and writes what is typed into the form.

    Parameters
    ----------
    form : RunForm
        Where they are kept.
    rows : QFormLayout
        Where they are shown.
    after : QWidget
        The field of the row above.
    complain : callable
        Called with a sentence where a file cannot be taken.

    Attributes
    ----------
    fields : dict of str to QWidget
        By ``"table.column"``, or the text's key.
    boxes : dict of str to TableBox
        By key of the table.
    patient : PatientRow or None
        Where rows are taken from files; None of a model without tables.
    """

    def __init__(self, form: RunForm, rows: QFormLayout, after: QWidget, complain: Callable[[str], None]) -> None:
        self._form, self._complain = form, complain
        self._block = RowBlock(rows, after)
        self._shown: tuple[Table | Text, ...] = ()
        self.fields: dict[str, QWidget] = {}
        self.boxes: dict[str, TableBox] = {}
        self.patient: PatientRow | None = None
        form.events.model.connect(self._refresh)

    def _refresh(self, _: Any = None) -> None:
        declared = self._form.model.others if self._form.model else ()
        if declared == self._shown:
            return
        self._shown, self.fields, self.boxes, self.patient = declared, {}, {}, None
        self._form.given, self._form.patient = {}, ""
        labelled: list[tuple[str, QWidget]] = []
        if tables := [port for port in declared if isinstance(port, Table)]:
            self.patient = PatientRow(self._take, self._complain)
            self.patient.set_tables(tables)
            labelled.append(("Patient", self.patient))
        for port in declared:
            if isinstance(port, Text):
                labelled.append((port.name, self._text(port)))
            else:
                box = self.boxes[port.key] = TableBox(port, partial(self._set, port.key))
                self.fields |= {f"{port.key}.{name}": field for name, field in box.fields.items()}
                labelled.append(("", box))
        self._block.show(labelled)

    def _take(self, patient: str, rows: Rows) -> None:
        """Show the rows of a patient."""
        for key, row in rows.items():
            self.boxes[key].show_row(row)
        self._form.patient = patient
        kept = {key: given for key, given in self._form.given.items() if key not in rows}
        self._form.given = {**kept, **{key: row for key, row in rows.items() if row}}

    def _text(self, port: Text) -> QPlainTextEdit:
        box = QPlainTextEdit()
        box.setFixedHeight(_TEXT_HEIGHT)
        # napari draws no border around it, and its ground is the dock's.
        box.setStyleSheet("QPlainTextEdit { border: 1px solid gray; }")
        box.setPlaceholderText(f"Type or paste: {port.name}")
        box.setToolTip(f"{port.name}: at most {port.longest:,} characters")
        box.textChanged.connect(lambda: self._set(port.key, box.toPlainText().strip()))
        self.fields[port.key] = box
        return box

    def _set(self, key: str, value: Mapping[str, str] | str) -> None:
        kept = {other: given for other, given in self._form.given.items() if other != key}
        self._form.given = kept | ({key: value if isinstance(value, str) else dict(value)} if value else {})
