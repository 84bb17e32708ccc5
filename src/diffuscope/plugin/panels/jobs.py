"""The foot of the dock: what waits, what goes on, and the buttons."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from diffuscope.plugin.jobs.queue import JobQueue
from diffuscope.plugin.jobs.state import JobState
from diffuscope.plugin.widgets.rows import side_by_side, small_text

_ERROR = QColor(200, 60, 40, 90)
_ERROR_STYLE = f"padding: 4px; border-radius: 3px; background: rgba{_ERROR.getRgb()};"
#: Height and width of a button of the list, and of all that is seen of it without scrolling: Run must stay on a small
#: screen.
_BUTTON, _SEEN = 24, 120


class JobWidget(QWidget):
    """Shows a `JobState` and a `JobQueue`; what the buttons do is for the dock to say."""

    def __init__(self, state: JobState, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._queue = queue
        self.heading = small_text()
        self.list = _table()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.progress = small_text()
        self.status = small_text()
        self.run = QPushButton("Run")
        self.cancel = QPushButton("Cancel")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        buttons = side_by_side(self.run, self.cancel)
        for widget in (self.heading, self.list, self.bar, self.progress, self.status, buttons):
            layout.addWidget(widget)
        queue.changed.connect(self._show_queue)
        self._show_queue()

    def show_state(self, hint: str) -> None:
        """Show where the job stands; `hint`, where there is nothing else to say."""
        state = self._state
        is_staining = state.phase in ("starting", "running", "cancelling")
        self.run.setText("Add to queue" if is_staining else "Run")
        self.run.setEnabled(state.phase != "busy")
        self.cancel.setText("Cancelling…" if state.phase == "cancelling" else "Cancel")
        self.cancel.setEnabled(state.phase != "cancelling")
        self.cancel.setVisible(is_staining)
        # an empty range is Qt's "working, no telling how long"
        self.bar.setRange(0, state.tiles if state.tiles or state.is_idle else 0)
        self.bar.setValue(state.done)
        self.bar.setVisible(not state.is_idle)
        self.progress.setText(state.progress_text())
        self.progress.setVisible(bool(self.progress.text()))
        text = state.message or hint
        self.status.setText(text)
        self.status.setVisible(bool(text))
        self.status.setStyleSheet(_ERROR_STYLE if state.failed and state.message else "")

    def _show_queue(self) -> None:
        entries, waiting = self._queue.entries, len(self._queue.waiting)
        self.heading.setText(f"{waiting} waiting" if waiting else "Failed")
        self.list.setRowCount(len(entries))
        for row, entry in enumerate(entries):
            item = QTableWidgetItem(entry.text)
            item.setToolTip(f"{entry.text}\n{entry.request.settings['out']}")
            if entry.failure:
                item.setBackground(QBrush(_ERROR))
            self.list.setItem(row, 0, item)
            remove = QToolButton()
            remove.setText("✕")
            remove.setAutoRaise(True)
            remove.setToolTip("Take this off the list")
            remove.clicked.connect(lambda _=False, entry=entry: self._queue.remove(entry))
            self.list.setCellWidget(row, 1, remove)
        self.list.resizeRowsToContents()
        for row in range(len(entries)):
            self.list.setRowHeight(row, self.list.rowHeight(row) + 6)
        height = sum(self.list.rowHeight(row) for row in range(len(entries)))
        self.list.setFixedHeight(min(height, _SEEN) + 2 * self.list.frameWidth())
        for widget in (self.heading, self.list):
            widget.setVisible(bool(entries))


def _table() -> Any:
    """Return a list of two columns: a text that is as wide as there is room, and a button."""
    table = QTableWidget(0, 2)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    table.verticalHeader().setMinimumSectionSize(_BUTTON)
    table.horizontalHeader().hide()
    table.horizontalHeader().setMinimumSectionSize(_BUTTON)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
    table.setColumnWidth(1, _BUTTON)
    return table
