"""The row of a patient in files of a cohort, taken into the fields of a model's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QCompleter, QFileDialog, QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.files.sheet import Sheet, read_sheet
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import combo, quiet, side_by_side, small_text
from diffuscope.ports.heads import listed, match_heads
from diffuscope.ports.table import Table

Rows = dict[str, dict[str, str]]


class PatientRow(QWidget):
    """Opens tables, and offers their rows by the first column.

    Parameters
    ----------
    taken : callable
        Called with a patient and rows, text by table and column, when one was chosen.
    complain : callable
        Called with a sentence where a table cannot be taken.

    Attributes
    ----------
    open : QPushButton
        Asks for files.
    patient : QComboBox
        Whose row.
    """

    def __init__(
        self, taken: Callable[[str, Rows], None], complain: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._taken, self._complain = taken, complain
        self._tables: tuple[Table, ...] = ()
        self._sheets: list[Sheet] = []
        self.patient = combo()
        self.patient.setEditable(True)  # to be searched, since a cohort has hundreds
        self.patient.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        completer = self.patient.completer()
        assert isinstance(completer, QCompleter)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        edit = self.patient.lineEdit()
        assert edit is not None
        edit.setPlaceholderText("no table is open")
        self.open = QPushButton("Open…")
        self.open.setToolTip(
            "Tables (CSV or XLSX) whose first column is the patient; what they have is filled in below"
        )
        self.files = small_text()
        self.files.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(side_by_side(self.patient, self.open))
        layout.addWidget(self.files)
        self.open.clicked.connect(self._ask)
        self.patient.activated.connect(weakly(self._pick))
        self.patient.setEnabled(False)

    def _pick(self, _index: int) -> None:
        self._take()

    def set_tables(self, tables: Sequence[Table]) -> None:
        """Take rows for the tables of another model."""
        self._tables = tuple(tables)

    def read(self, paths: Sequence[Path]) -> None:
        """Open tables in the place of those that are open; of one row it is taken at once."""
        try:
            sheets = [read_sheet(path) for path in paths]
            self._check(sheets)
        except InputError as error:
            self._complain(str(error))
            return
        self._sheets = sheets
        self.files.setText(", ".join(path.name for path in paths))
        self.files.setToolTip("\n".join(map(str, paths)))
        self.files.show()
        patients = dict.fromkeys(line.cells[sheet.heads[0]].strip() for sheet in sheets for line in sheet.lines)
        with quiet(self.patient):
            self.patient.clear()
            self.patient.addItems([one for one in patients if one])
            self.patient.setCurrentIndex(-1)
        self.patient.setEnabled(True)
        edit = self.patient.lineEdit()
        assert edit is not None
        edit.setPlaceholderText(f"one of {len(patients)}")
        if len(patients) == 1:
            self.patient.setCurrentIndex(0)
            self._take()

    def _ask(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Tables of the patients", "", "Tables (*.csv *.xlsx)")
        if paths:
            self.read([Path(path) for path in paths])

    def _check(self, sheets: Sequence[Sheet]) -> None:
        """Refuse tables that have no column of the model."""
        columns = [column for table in self._tables for column in table.columns]
        for sheet in sheets:
            if not match_heads(sheet.heads[1:], columns, sheet.path.name).taken:
                raise InputError(
                    f"{sheet.path.name} has no column of this model (it has {listed(sheet.heads)}): give a table with "
                    f"{listed([column.name for column in columns])}."
                )

    def _take(self) -> None:
        patient = self.patient.currentText().strip()
        try:
            rows = {table.key: self._row(table, patient) for table in self._tables}
        except InputError as error:
            self._complain(str(error))
            return
        self._taken(patient, rows)

    def _row(self, table: Table, patient: str) -> dict[str, str]:
        """Return what the files say of a patient, in the units of the table; of two files the first that knows."""
        found: dict[str, str] = {}
        for sheet in self._sheets:
            lines = [line for line in sheet.lines if line.cells[sheet.heads[0]].strip() == patient]
            if len(lines) > 1:
                raise InputError(f"{sheet.path.name} has {len(lines)} rows of “{patient}”: leave one.")
            taken = match_heads(sheet.heads[1:], table.columns, sheet.path.name).taken
            for line in lines:
                for column in table.columns:
                    head, unit = taken.get(column.name, ("", ""))
                    text = line.cells.get(head, "")
                    try:
                        value = column.read(text, unit)
                    except InputError:
                        value = text  # the form says what is wrong with it
                    if value is not None and column.name not in found:
                        found[column.name] = f"{value:.10g}" if isinstance(value, float) else value
        return found
