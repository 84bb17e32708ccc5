"""The file dialog of tables: it asks before a file is replaced, by the name that is written."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from qtpy.QtWidgets import QDialog, QFileDialog, QWidget


def ask_csv(parent: QWidget | None, title: str, proposed: Path) -> str:
    """Ask where a table goes as CSV; empty where nobody says."""
    dialog = TableDialog(parent, title, proposed)
    path = str(dialog.answer) if dialog.exec() == QDialog.DialogCode.Accepted else ""
    dialog.deleteLater()
    return path


class TableDialog(QFileDialog):
    """Asks for the name of a CSV file.

    Parameters
    ----------
    parent : QWidget or None
        Whose window it is before.
    title : str
        Of its window.
    proposed : Path
        The file that it begins with.
    """

    def __init__(self, parent: QWidget | None, title: str, proposed: Path) -> None:
        super().__init__(parent, title)
        self.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        self.setFileMode(QFileDialog.FileMode.AnyFile)
        self.setNameFilter("CSV (*.csv)")
        # what is typed without an ending is asked about, where it exists, by its whole name
        self.setDefaultSuffix("csv")
        self.selectFile(str(proposed))

    @property
    def answer(self) -> Path:
        """The file that it was answered with; of another ending, which the dialog asked about as typed, a free one."""
        path = Path(self.selectedFiles()[0])
        if path.suffix.lower() == ".csv":
            return path
        names = (f"{path.name}{mark}.csv" for mark in chain([""], (f"-{number}" for number in count(2))))
        return next(one for one in map(path.with_name, names) if not one.exists())
