"""Letters of a dock as large as napari's: its style says how large those of some widgets are, of others nothing."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

# What napari's style has no size for.
_LEFT_OUT = "QLineEdit, QPlainTextEdit, QToolButton, QTableView, QHeaderView"


class Letters(QObject):
    """Gives what is written into, lists and small buttons of a dock the size that is set in napari's preferences.

    Parameters
    ----------
    dock : QWidget
        Whose they are.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        get_settings().appearance.events.font_size.connect(self._take)
        self._take()

    def _take(self, _: Any = None) -> None:
        self._dock.setStyleSheet(f"{_LEFT_OUT} {{ font-size: {get_settings().appearance.font_size}pt; }}")
