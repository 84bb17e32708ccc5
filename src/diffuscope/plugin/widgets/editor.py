"""Editors of several lines that look like the rest of a dock, in a viewer's font."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QPlainTextEdit, QTextEdit

# Px around the lines: border and margin of the document.
_AROUND = 12


class _Font(QObject):
    """Gives an editor the font size of the viewer, which napari's style leaves out, and the height of its lines."""

    def __init__(self, edit: QPlainTextEdit | QTextEdit, lines: int) -> None:
        super().__init__(edit)
        self._lines = lines
        edit.installEventFilter(self)
        self._fit(edit)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802  Qt's name
        if event.type() in {QEvent.Type.StyleChange, QEvent.Type.Polish}:
            self._fit(watched)
        return False

    def _fit(self, edit: Any) -> None:
        font = edit.font()
        size = get_settings().appearance.font_size
        if font.pointSizeF() != size:
            font.setPointSizeF(size)
            edit.setFont(font)
        edit.setFixedHeight(self._lines * edit.fontMetrics().lineSpacing() + _AROUND)


def as_editor(edit: QPlainTextEdit | QTextEdit, lines: int) -> None:
    """Give an editor a border, which napari draws none around, its font, and room for some lines."""
    kind = "QPlainTextEdit" if isinstance(edit, QPlainTextEdit) else "QTextEdit"
    edit.setStyleSheet(f"{kind} {{ border: 1px solid gray; }}")
    _Font(edit, lines)
