"""A window with the measurements of all results: to read, to copy, to write as CSV."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from diffuscope.errors import InputError
from diffuscope.measurement.table import line_of, name_of
from diffuscope.plugin.panels.files.table_dialog import ask_csv
from diffuscope.plugin.panels.numbers.rows import RESULT
from diffuscope.plugin.widgets.rows import begun

# Of a column, px: the corners of a drawn shape are as long as they like.
_WIDEST = 220
_GENERATED = "Numbers of pictures that a model generated: no measurement of a protein, not for diagnosis."


class NumbersDialog(QDialog):
    """Shows a table; rows are results and their regions.

    Parameters
    ----------
    rows : list of dict
        As of `rows_of`.
    folder : Path
        Where a file is proposed.
    """

    def __init__(self, rows: list[dict[str, str]], folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Numbers of all results")
        self._rows, self._folder = rows, folder
        columns = list(rows[0]) if rows else []
        self._header = [begun(name_of(column)) for column in columns]
        lines = [[row[RESULT], *line_of({k: v for k, v in row.items() if k != RESULT})] for row in rows]
        self.table = QTableWidget(len(rows), len(columns))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setHorizontalHeaderLabels(self._header)
        for y, line in enumerate(lines):
            for x, text in enumerate(line):
                item = QTableWidgetItem(text)
                if x:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(y, x, item)
        self.table.horizontalHeader().setMaximumSectionSize(_WIDEST)
        self.table.resizeColumnsToContents()
        self.note = QLabel(_GENERATED if rows else "No result in this window has numbers.")
        self.copy, self.csv, close = QPushButton("Copy"), QPushButton("CSV…"), QPushButton("Close")
        self.copy.setToolTip("Put the table on the clipboard, as a spreadsheet takes it, with all digits")
        self.copy.clicked.connect(self._copy)
        self.csv.clicked.connect(self._write)
        close.clicked.connect(self.close)
        for button in (self.copy, self.csv):
            button.setEnabled(bool(rows))
        buttons = QHBoxLayout()
        buttons.addWidget(self.note, 1)
        for button in (self.copy, self.csv, close):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addLayout(buttons)
        self.resize(900, 320)

    def _copy(self) -> None:
        # all digits, as in the file: a spreadsheet rounds by itself, and takes no 1,613 for a number everywhere
        lines = [self._header, *(row.values() for row in self._rows)]
        QApplication.clipboard().setText("\n".join(map("\t".join, lines)))
        self.note.setText(f"Copied {len(self._rows)} row{'s' if len(self._rows) > 1 else ''}.")

    def _write(self) -> None:
        from diffuscope.measurement.measurements import write_csv  # its room brings scipy

        path = ask_csv(self, "Numbers of all results", self._folder / "numbers.csv")
        if not path:
            return
        try:
            write_csv(self._rows, path, replace=True)
        except (InputError, OSError) as error:
            self.note.setText(str(error))
            return
        self.note.setText(f"Wrote {Path(path).name}.")


def open_numbers(rows: list[dict[str, str]], folder: Path, parent: QWidget) -> NumbersDialog:
    """Show the table in a window of its own that leaves the viewer usable."""
    dialog = NumbersDialog(rows, folder, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    return dialog
