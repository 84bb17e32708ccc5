"""The foot of every dock: what waits, what goes on, and the buttons."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.widgets.access import in_order, stops
from diffuscope.plugin.widgets.last_resort import copy_button
from diffuscope.plugin.widgets.pieces import MAIN_STYLE, key_of
from diffuscope.plugin.widgets.rows import side_by_side, small_text

_ERROR = QColor(200, 60, 40, 90)
_ERROR_STYLE = f"padding: 4px; border-radius: 3px; background: rgba{_ERROR.getRgb()};"
#: Height and width of a button of the list, and of all that is seen of it without scrolling: Run must stay on a small
#: screen.
_BUTTON, _SEEN = 24, 120
#: What is said beside how far a job is.
_SAID = {"paused": "paused", "cancelling": "cancelling…"}
#: Speed of what moves, % of 33 pictures a second.
_CALM = 12
#: Steps of the bar: a job of three tiles moves as well.
_STEPS = 1000


class JobPanel(QWidget):
    """Shows a session and the queue that it shares; what `run` does is for the dock to say.

    Parameters
    ----------
    session : Session
        Of the dock.
    run, cancel : str
        What the buttons say.

    Attributes
    ----------
    hint : str
        What the status line says where there is nothing else to say.
    """

    def __init__(
        self, session: Session, *, run: str = "Run", cancel: str = "Cancel", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._texts = run, cancel
        self.hint = ""
        self.elsewhere, self.heading = small_text(), small_text()
        self.list = _table()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setRange(0, _STEPS)
        stays = self.bar.sizePolicy()
        stays.setRetainSizeWhenHidden(True)  # until it is there, Pause lies where it will
        self.bar.setSizePolicy(stays)
        self.progress = small_text()
        self.status = small_text()
        self.pause = QToolButton()
        self.pause.setText("Pause")
        self.run, self.cancel, self.go_on = QPushButton(run), QPushButton(cancel), QPushButton("Continue")
        self.cancel.setToolTip("What is finished is kept, and can be gone on with")
        self.go_on.setToolTip("Go on with the job that ended early")
        self.run.setStyleSheet(MAIN_STYLE)
        self.pause.setToolTip("Let the job wait after the step at hand, and go on where it was; nothing is lost")
        key_of(self.run, "Ctrl+Return")
        key_of(self.go_on, "Ctrl+Shift+Return")
        key_of(self.cancel, "Ctrl+.")
        key_of(self.pause, "Ctrl+Shift+.")
        self.copy = copy_button(lambda: session.state.report)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._buttons = buttons = side_by_side(self.run, self.go_on, self.cancel)
        self._going = side_by_side(self.bar, self.pause)
        said = (self.elsewhere, self.heading, self.list, self._going, self.progress, self.status, self.copy)
        for widget in (*said, buttons):
            layout.addWidget(widget)
        self.cancel.clicked.connect(self._cancel)
        self.go_on.clicked.connect(session.go_on)
        self.pause.clicked.connect(self._pause)
        session.changed.connect(self._show_all)
        session.state.events.connect(self.show_state)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        self._show_all()

    def add_button(self, button: QPushButton) -> None:
        """Put a button of the dock's own beside Run."""
        row: Any = self._buttons.layout()
        row.addWidget(button)

    def show_hint(self, hint: str) -> None:
        """Show a hint where there is nothing else to say."""
        self.hint = hint
        self.show_state()

    def show_state(self, _: Any = None) -> None:
        """Show where the job stands."""
        self._keep_time()
        state, compute = self._session.state, self._session.compute
        run, cancel = self._texts
        self.run.setText("Add to queue" if compute.is_busy else run)
        orphan, going = self._orphan(), self._shown.state
        self.cancel.setText("Cancelling…" if going.phase == "cancelling" else cancel if orphan is None else "Cancel")
        self.cancel.setEnabled(going.phase != "cancelling")
        self.cancel.setVisible(going.is_at_work)
        self.go_on.setVisible(state.is_idle and self._session.again is not None)
        self.bar.setValue(round(_STEPS * going.done / going.total) if going.total else 0)
        # Qt's "working, no telling how long" would move sixty times a second, and draw the whole window each time
        self.bar.setVisible(going.is_at_work and going.total > 0)
        self.pause.setText("Resume" if going.phase == "paused" else "Pause")
        self._going.setVisible(going.is_at_work)
        self.pause.setVisible(going.phase in ("starting", "running", "paused"))
        text = " · ".join(part for part in (going.progress_text, _SAID.get(going.phase, "")) if part)
        other = compute.at_work if compute.at_work and compute.at_work.owner is not self._session else None
        where = "without its dock" if orphan is not None else "for another dock"
        _fill(self.elsewhere, f"At work {where}: {other.text}" if other else "")
        _fill(self.progress, text)
        _fill(self.status, state.message or (self.hint if state.is_idle else ""))
        self.copy.setVisible(bool(state.failed and state.report))
        style = _ERROR_STYLE if state.failed and state.message else ""
        if self.status.styleSheet() != style:  # Qt polishes anew whatever it is given
            self.status.setStyleSheet(style)

    def _keep_time(self) -> None:
        """Let the time that is left go by while a job is at work."""
        is_at_work = self._shown.state.is_at_work
        if is_at_work == self._clock.isActive():
            return
        if is_at_work:
            self._clock.start()
            _calm(self.window())
        else:
            self._clock.stop()

    def _tick(self) -> None:
        """Tell the time anew; of a dock that was closed nothing is heard besides."""
        self._shown.state.tick()
        self.show_state()

    @property
    def _shown(self) -> Any:
        """Whose job is shown, and is cancelled and paused: its own, or what a dock that was closed has left."""
        return self._orphan() or self._session

    def _orphan(self) -> Any:
        """Return whose job is at work, where that is a dock that was closed: any dock can cancel it."""
        at_work = self._session.compute.at_work
        return at_work.owner if at_work is not None and not at_work.owner.has_dock else None

    def _cancel(self) -> None:
        self._shown.cancel()
        self.show_state()

    def _pause(self) -> None:
        if self._shown.state.phase == "paused":
            self._shown.resume()
        else:
            self._shown.pause()
        self.show_state()

    def _show_all(self) -> None:
        self._show_queue()
        self.show_state()

    def _show_queue(self) -> None:
        queue = self._session.compute.queue
        entries, waiting = queue.entries, len(queue.waiting)
        self.heading.setText(f"{waiting} waiting" if waiting else "Failed")
        self.list.setRowCount(len(entries))
        for row, entry in enumerate(entries):
            item = QTableWidgetItem(entry.text)
            item.setToolTip("\n".join([entry.text, *([str(entry.job.out)] if entry.job.out else [])]))
            if entry.failure:
                item.setBackground(QBrush(_ERROR))
            self.list.setItem(row, 0, item)
            remove = QToolButton()
            remove.setText("✕")
            remove.setAutoRaise(True)
            remove.setToolTip("Take this off the list")
            remove.setAccessibleName(f"Take off the list: {entry.text}")
            remove.clicked.connect(lambda _=False, entry=entry: queue.remove(entry))
            self.list.setCellWidget(row, 1, remove)
        self.list.resizeRowsToContents()
        for row in range(len(entries)):
            self.list.setRowHeight(row, self.list.rowHeight(row) + 6)
        height = sum(self.list.rowHeight(row) for row in range(len(entries)))
        self.list.setFixedHeight(min(height, _SEEN) + 2 * self.list.frameWidth())
        for widget in (self.heading, self.list):
            widget.setVisible(bool(entries))
        # the buttons are new, which Tab would come to last: from the first that stays they go before it, which keeps
        # the place of all in the window
        in_order([self.pause, *stops(self)])


def _calm(window: QWidget) -> None:
    """Let what moves in a window, napari's sign that something is at work, do so four times a second.

    Each of its pictures draws the whole window: 33 a second took a third of a processor where there is no GPU.
    """
    for label in window.findChildren(QLabel):
        if label.movie() is not None:
            label.movie().setSpeed(_CALM)


def _fill(label: Any, text: str) -> None:
    label.setText(escape(text, quote=False))
    label.setVisible(bool(text))


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
