"""Layers → Metadata → Show run record: how the selected result was made, and the command that makes it again."""

from __future__ import annotations

import json
from typing import Any

import napari
from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QApplication, QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.layers.facts import own_metadata


class RecordDialog(QDialog):
    """Shows a run record as text that can be copied."""

    def __init__(self, record: dict[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Run record")
        self.text = QPlainTextEdit(json.dumps(record, indent=2, ensure_ascii=False))
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        copy = QPushButton("Copy command")
        command = str(record.get("command", ""))
        copy.setEnabled(bool(command))
        copy.clicked.connect(lambda: QApplication.clipboard().setText(command))
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(copy)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("A result of a model, not for diagnosis."))
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        self.resize(620, 480)


def show_record(viewer: napari.Viewer) -> RecordDialog:
    """Show the run record of the active layer.

    Raises
    ------
    InputError
        The active layer is no Diffuscope result.
    """
    layer = viewer.layers.selection.active
    record = own_metadata(layer).get("record") if layer is not None else None
    if not record:
        raise InputError("The selected layer is no Diffuscope result: select one of its layers first.")
    return open_record(record, viewer.window._qt_window)  # noqa: SLF001  napari has no public way to a parent window


def open_record(record: dict[str, Any], parent: QWidget) -> RecordDialog:
    """Show a record in a window of its own that leaves the viewer usable."""
    dialog = RecordDialog(record, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    return dialog
