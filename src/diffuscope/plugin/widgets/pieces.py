"""Pieces that several docks are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QDoubleSpinBox,
    QFrame,
    QHeaderView,
    QScrollArea,
    QShortcut,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from diffuscope.plugin.widgets.still import StillDoubleSpin

#: What a dock is for, in light and dark themes.
MAIN_STYLE = """
QPushButton { background: #3f5fc4; color: white; font-weight: bold; padding: 5px; }
QPushButton:hover, QPushButton:focus { background: #5573d6; }
QPushButton:disabled { background: #70778a; color: #d0d4de; }
"""


class _Scrolling(QScrollArea):
    """An area that is as wide as what it shows, in whatever font: nothing is cut off at its right."""

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802  Qt's name
        """Take the width that another layout of the widget needs."""
        if event.type() == QEvent.Type.LayoutRequest and isinstance(watched, QWidget):
            # A theme may draw a border, which is no frame to Qt.
            border = self.width() - self.contentsRect().width()
            bar = self.verticalScrollBar().sizeHint().width()
            # What was set as the least width is in no hint.
            least = max(watched.minimumSizeHint().width(), watched.minimumWidth())
            self.setMinimumWidth(least + bar + border)
        return bool(super().eventFilter(watched, event))


def scrolling(inner: QWidget) -> QScrollArea:
    """Return an area that scrolls up and down where a small screen has no room for all of a widget."""
    return _Scrolling(inner)


def key_of(button: QAbstractButton, keys: str) -> None:
    """Let keys press a button while it is seen: of docks that are tabs only that in front; its tip names them.

    Qt's own shortcut of a button goes with each text that is set.
    """
    shortcut = QShortcut(QKeySequence(keys), button)
    shortcut.activated.connect(button.click)
    told = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
    button.setToolTip(" ".join(part for part in (button.toolTip(), f"({told})") if part))


def pause(parent: QWidget, milliseconds: int, then: Callable[..., Any]) -> QTimer:
    """Return a clock that calls something once it was not started anew for so long."""
    clock = QTimer(parent)
    clock.setSingleShot(True)
    clock.setInterval(milliseconds)
    clock.timeout.connect(then)
    return clock


def mpp_spin() -> QDoubleSpinBox:
    """Return a box for the µm/px of files that do not say it; 0 where all do."""
    box = slide_mpp_spin()
    box.setSpecialValueText("as the files say")
    box.setToolTip("µm per pixel of files that do not say it, as PNG and JPEG never do")
    return box


def slide_mpp_spin(most: float = 50.0) -> QDoubleSpinBox:
    """Return a box for the µm/px of a slide, up to `most`; 0 where its file has the say."""
    box = StillDoubleSpin()
    box.setRange(0.0, most)
    box.setDecimals(4)
    box.setSingleStep(0.05)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setToolTip("µm per pixel of the slide, where the file does not state it or is wrong")
    return box


class FiguresTable(QTableWidget):
    """A table to read: names at the left, figures at the right; hidden while it is empty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.hide()

    def show_lines(
        self, header: list[str], lines: list[list[str]], *, wrap: bool = False, narrow: bool = False
    ) -> None:
        """Fill in a text a column, and a line a row; `wrap` breaks long names, so that figures have all their room.

        With `narrow` columns are as wide as their figures, whatever stands in the header.
        """
        self.setVisible(bool(lines))
        self.setColumnCount(len(header))
        for column, text in enumerate(header):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            self.setHorizontalHeaderItem(column, item)
        self.setRowCount(len(lines))
        for row, line in enumerate(lines):
            for column, text in enumerate(line):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, column, item)
        # A long name in the header may be cut short (its tip has all of it), a quantity and its unit never.
        whole, rest = QHeaderView.ResizeMode.ResizeToContents, QHeaderView.ResizeMode.Stretch
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.horizontalHeader().setSectionResizeMode(rest)
        self.horizontalHeader().setSectionResizeMode(0, whole)
        if wrap:
            self.horizontalHeader().setSectionResizeMode(whole)
            self.horizontalHeader().setSectionResizeMode(0, rest)
            self.resizeRowsToContents()
        if narrow:
            self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            self.horizontalHeader().setSectionResizeMode(0, rest)
            for column in range(1, len(header)):
                self.setColumnWidth(column, self.sizeHintForColumn(column))
        # a table in a form that scrolls shows all its rows
        rows = sum(self.rowHeight(row) for row in range(len(lines)))
        self.setFixedHeight(rows + self.horizontalHeader().sizeHint().height() + 4)


def weakly(method: Callable[..., Any], *first: Any) -> Callable[..., None]:
    """Return what calls a method with these arguments first, as a Qt signal may keep it: it does not keep the object.

    A signal keeps a lambda or a partial, and with it a dock that was closed, for as long as the sender lives.
    """
    kept = WeakMethod(method)

    def call(*more: Any) -> None:
        found = kept()
        if found is not None:
            found(*first, *more)

    return call
