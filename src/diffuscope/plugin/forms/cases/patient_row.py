"""The row of a patient in files of a cohort, taken into the fields of a model's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QCompleter, QFileDialog, QPushButton, QVBoxLayout, QWidget

from diffuscope.cases.joined import Joined, Patient, join
from diffuscope.errors import InputError
from diffuscope.jobs.inputs import split_channel
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import combo, quiet, side_by_side, small_text
from diffuscope.ports.heads import listed
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
        self._joined: Joined | None = None
        self._patients: dict[str, Patient] = {}
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
            joined = join(paths, self._tables)
            self._check(joined)
        except InputError as error:
            self._complain(str(error))
            return
        self._patients = {one.name: one for one in joined.patients if one.name}
        self._joined = joined
        names = ", ".join(path.name for path in paths)
        self.files.setText("<br>".join(map(escape, [names, *joined.notices, *joined.unused(())])))
        self.files.setToolTip("\n".join(map(str, paths)))
        self.files.show()
        with quiet(self.patient):
            self.patient.clear()
            self.patient.addItems(list(self._patients))
            self.patient.setCurrentIndex(-1)
        self.patient.setEnabled(True)
        edit = self.patient.lineEdit()
        assert edit is not None
        edit.setPlaceholderText(f"one of {len(self._patients)}")
        if len(self._patients) == 1:
            self.patient.setCurrentIndex(0)
            self._take()
        else:  # what another table said of another patient must not stay
            self._clear()

    def choose(self, name: str) -> None:
        """Take the row of a patient of the tables that are open."""
        self.patient.setCurrentIndex(self.patient.findText(name))
        self._take()

    def files_of(self, name: str, keys: Sequence[str]) -> dict[str, Path]:
        """Return the files that a patient's row names, by the columns that are called like inputs."""
        patient = self._patients.get(name)
        if patient is None or self._joined is None:
            return {}
        found, _ = self._joined.files(patient, keys)
        return {key: split_channel(path)[0] for key, path in found.items()}

    def _ask(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Tables of the patients", "", "Tables (*.csv *.xlsx)")
        if paths:
            self.read([Path(path) for path in paths])

    def _check(self, joined: Joined) -> None:
        """Refuse tables that have no column of the model, or one that is a slip of it."""
        joined.check_spelling((), joined.written(self._tables))
        if not joined.where:
            heads = [head for sheet in joined.sheets for head in sheet.heads]
            names = ", ".join(sheet.name for sheet in joined.sheets)
            raise InputError(
                f"{names} has no column of this model (it has {listed(heads)}): give a table with "
                f"{listed(list(joined.columns))}."
            )

    def _take(self) -> None:
        name = self.patient.currentText().strip()
        patient = self._patients.get(name)
        if patient is None or patient.faults:
            self._clear()
            self._complain(" ".join(patient.faults) if patient else f"there is no patient “{name}”: choose one.")
            return
        self._taken(name, {table.key: self._row(table, patient) for table in self._tables})

    def _clear(self) -> None:
        self._taken("", {table.key: {} for table in self._tables})

    def _row(self, table: Table, patient: Patient) -> dict[str, str]:
        """Return what the files say of a patient, in the units of the table."""
        assert self._joined is not None
        found: dict[str, str] = {}
        for column in table.columns:
            number = self._joined.where.get(column.name)
            if number is None or number not in patient.lines:
                continue
            head, unit = self._joined.heads[number].taken[column.name]
            line = patient.lines[number]
            text = line.cells[head]
            try:
                value = column.read(text, unit, decimal_commas=line.decimal_commas)
            except InputError:
                # The form says what is wrong with it. It does not know of the file's commas, and would read 1.234.
                in_doubt = line.decimal_commas and "," not in text and text.count(".") == 1
                value = text.replace(".", ",") if in_doubt else text
            if value is not None:
                found[column.name] = f"{value:.10g}" if isinstance(value, float) else value
        return found
