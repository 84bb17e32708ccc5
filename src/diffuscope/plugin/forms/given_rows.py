"""Tables and texts that a model takes as rows of the form: made of what the system declares."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtWidgets import QComboBox, QFormLayout, QLineEdit, QPlainTextEdit, QWidget

from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.rows import RowBlock, combo
from diffuscope.ports.table import Column, Table
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

    Attributes
    ----------
    fields : dict of str to QWidget
        By ``"table.column"``, or the text's key.
    """

    def __init__(self, form: RunForm, rows: QFormLayout, after: QWidget) -> None:
        self._form = form
        self._block = RowBlock(rows, after)
        self._shown: tuple[Table | Text, ...] = ()
        self.fields: dict[str, QWidget] = {}
        form.events.model.connect(self._refresh)

    def _refresh(self, _: Any = None) -> None:
        declared = self._form.model.others if self._form.model else ()
        if declared == self._shown:
            return
        self._shown, self.fields = declared, {}
        self._form.given = {}
        labelled: list[tuple[str, QWidget]] = []
        for port in declared:
            if isinstance(port, Text):
                labelled.append((port.name, self._text(port)))
            else:
                labelled += [(column.label.replace("_", " "), self._column(port, column)) for column in port.columns]
        self._block.show(labelled)

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

    def _column(self, table: Table, column: Column) -> QLineEdit | QComboBox:
        box: QLineEdit | QComboBox
        write = partial(self._set_column, table.key, column.name)
        if column.categories:
            box = combo()
            box.addItem("not known", "")
            for category in column.categories:
                box.addItem(category, category)
            box.activated.connect(lambda: write(box.currentData()))
        else:
            box = QLineEdit()
            box.setPlaceholderText("not known")
            if column.range:
                box.setToolTip(f"From {column.range[0]:g} to {column.range[1]:g}")
            box.textEdited.connect(write)
        self.fields[f"{table.key}.{column.name}"] = box
        return box

    def _set_column(self, table: str, column: str, text: str) -> None:
        row = self._form.given.get(table)
        kept = {name: value for name, value in row.items() if name != column} if isinstance(row, dict) else {}
        self._set(table, kept | ({column: text} if text.strip() else {}))

    def _set(self, key: str, value: dict[str, str] | str) -> None:
        kept = {other: given for other, given in self._form.given.items() if other != key}
        self._form.given = kept | ({key: value} if value else {})
