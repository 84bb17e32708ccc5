"""A field for each column of a table, under a heading that folds them away and tells how many are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import Fold, NarrowLabel, combo, form_layout, quiet
from diffuscope.ports.table import Column, Table

# A table of more columns is folded until somebody looks.
_OPEN = 8


def meanings(column: Column) -> dict[str, str]:
    """Return what the codes of a column mean, where its title says it: ``"Sex: 0 male, 1 female"``; else nothing."""
    _, mark, told = column.title.partition(": ")
    found: dict[str, str] = {}
    code = ""
    for part in told.split(", ") if mark else ():
        first, _, rest = part.partition(" ")
        if first in column.categories and first not in found and rest:
            code, found[first] = first, rest
        elif code:
            found[code] += f", {part}"
    return found if set(found) == set(column.categories) else {}


class TableBox(QWidget):
    """Shows a row of a table, and tells of what is typed.

    Parameters
    ----------
    table : Table
        Which.
    typed : callable
        Called with the row, text by column, when the user has changed it; what is empty is left out.

    Attributes
    ----------
    fold : Fold
        Opens and closes it.
    fields : dict of str to QLineEdit or QComboBox
        By column.
    """

    def __init__(self, table: Table, typed: Callable[[dict[str, str]], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table, self._typed = table, typed
        self._row: dict[str, str] = {}
        self.fields: dict[str, QLineEdit | QComboBox] = {}
        self.fold = Fold()
        self._inner = QWidget()
        rows = form_layout(self._inner)
        rows.setContentsMargins(10, 0, 0, 4)
        # of what is measured nobody types hundreds of values: a table brings them, or the CT
        for column in () if table.measured else table.columns:
            self.fields[column.name] = self._field(column)
            name = column.title.partition(": ")[0] if meanings(column) else column.label
            label = NarrowLabel(name.replace("_", " "))
            label.setToolTip(column.name)
            rows.addRow(label, self.fields[column.name])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.addWidget(self.fold)
        layout.addWidget(self._inner)
        self.fold.toggled.connect(self._inner.setVisible)
        self.fold.setChecked(len(table.columns) <= _OPEN and not table.measured)
        self.fold.setEnabled(not table.measured)
        self._inner.setVisible(self.fold.isChecked())
        self._tell()

    def show_row(self, row: Mapping[str, str]) -> None:
        """Show values that were not typed here; what is left out is not known, what is no category is seen as it is."""
        self._row = {name: text for name, text in row.items() if text.strip()}
        for column in self._table.columns if self.fields else ():
            box, text = self.fields[column.name], self._row.get(column.name, "")
            with quiet(box):
                if isinstance(box, QLineEdit):
                    box.setText(text)
                    continue
                while box.count() > len(column.categories) + 1:
                    box.removeItem(box.count() - 1)
                if text and box.findData(text) < 0:
                    box.addItem(f"{text} (?)", text)
                box.setCurrentIndex(box.findData(text))
        self._tell()

    def _field(self, column: Column) -> QLineEdit | QComboBox:
        if column.categories:
            box = combo()
            box.addItem("not known", "")
            words = meanings(column)
            for category in column.categories:
                box.addItem(f"{category} {words[category]}" if words else category, category)
            box.activated.connect(weakly(self._choose, column.name, box))
            return box
        edit = QLineEdit()
        edit.setPlaceholderText("not known")
        if column.range:
            edit.setToolTip(f"From {column.range[0]:g} to {column.range[1]:g}")
        edit.textEdited.connect(weakly(self._set, column.name))
        return edit

    def _choose(self, column: str, box: QComboBox, _index: int) -> None:
        self._set(column, box.currentData())

    def _set(self, column: str, text: str) -> None:
        kept = {name: value for name, value in self._row.items() if name != column}
        self._row = kept | ({column: text} if text.strip() else {})
        self._tell()
        self._typed(dict(self._row))

    def _tell(self) -> None:
        known, all_of = len(self._row), len(self._table.columns)
        name = self._table.name[0].upper() + self._table.name[1:]
        nothing = "measured from CT and outlines" if self._table.measured else "nothing known"
        self.fold.setText(f"{name}: {f'{known} of {all_of} known' if known else nothing}")
