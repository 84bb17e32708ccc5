"""Tables and texts that a model takes as rows of the form: made of what the system declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from qtpy.QtWidgets import QFormLayout, QWidget

from diffuscope.plugin.forms.cases.patient_row import PatientRow, Rows
from diffuscope.plugin.forms.cases.table_box import TableBox
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.forms.texts.text_box import TextBox
from diffuscope.plugin.widgets.rows import NarrowLabel, RowBlock
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text


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
    texts : dict of str to TextBox
        By key of the text.
    patient : PatientRow or None
        Where rows are taken from files; None of a model without tables.
    """

    def __init__(self, form: RunForm, rows: QFormLayout, after: QWidget, complain: Callable[[str], None]) -> None:
        self._form, self._complain = form, complain
        self._block = RowBlock(rows, after)
        self._shown: tuple[Table | Text, ...] = ()
        self.fields: dict[str, QWidget] = {}
        self.boxes: dict[str, TableBox] = {}
        self.texts: dict[str, TextBox] = {}
        self.patient: PatientRow | None = None
        form.events.model.connect(self._refresh)

    def _refresh(self, _: Any = None) -> None:
        declared = self._form.model.others if self._form.model else ()
        if declared == self._shown:
            return
        self._shown, self.fields, self.boxes, self.texts, self.patient = declared, {}, {}, {}, None
        self._form.given, self._form.patient, self._form.row_files = {}, "", {}
        labelled: list[tuple[str, QWidget]] = []
        if tables := [port for port in declared if isinstance(port, Table)]:
            self.patient = PatientRow(self._take, self._complain)
            self.patient.set_tables(tables)
            labelled.append(("Patient", self.patient))
        for port in declared:
            if isinstance(port, Text):
                box = TextBox(port, partial(self._set, port.key), self._complain)
                self.texts[port.key], self.fields[port.key] = box, box.edit
                labelled.append(("", NarrowLabel(port.name)))
                labelled.append(("", box))
            else:
                table = self.boxes[port.key] = TableBox(port, partial(self._set, port.key))
                self.fields |= {f"{port.key}.{name}": field for name, field in table.fields.items()}
                labelled.append(("", table))
        self._block.show(labelled)

    def _take(self, patient: str, rows: Rows) -> None:
        """Show the rows of a patient."""
        model = self._form.model
        ports: tuple[Raster | Mask, ...] = (*model.inputs, *model.masks) if model else ()
        files = [port.key for port in ports]
        self._form.row_files = self.patient.files_of(patient, files) if self.patient else {}
        for key, row in rows.items():
            self.boxes[key].show_row(row)
        self._form.patient = patient
        kept = {key: given for key, given in self._form.given.items() if key not in rows}
        self._form.given = {**kept, **{key: row for key, row in rows.items() if row}}

    def _set(self, key: str, value: Mapping[str, str] | str) -> None:
        kept = {other: given for other, given in self._form.given.items() if other != key}
        self._form.given = kept | ({key: value if isinstance(value, str) else dict(value)} if value else {})
