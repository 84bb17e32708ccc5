"""The line of a curtain: lies over the canvas, and is dragged."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

# Px: what can be grasped, the line in its middle, and its handle.
_WIDE, _LINE, _HANDLE = 15, 2.0, 36.0
_WHITE, _BLACK = QColor(255, 255, 255), QColor(0, 0, 0, 160)


class Divider(QWidget):
    """A vertical line over the whole height of a canvas.

    Parameters
    ----------
    canvas : QWidget
        Over which it lies.

    Attributes
    ----------
    edge : float
        Where, from 0 (left) to 1 (right).
    """

    moved = Signal(float)
    resized = Signal()

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.edge = 0.5
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setToolTip("Drag: the input lies left of the line, the result right of it")
        self.setAccessibleName("Line of the curtain")
        canvas.installEventFilter(self)
        self.hide()

    def put(self, edge: float) -> None:
        """Lie at a part of the canvas's width."""
        self.edge = edge
        left = round(edge * self._canvas.width() - _WIDE / 2)
        self.setGeometry(left, 0, _WIDE, self._canvas.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  Qt's name
        """Follow the size of the canvas."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.put(self.edge)
            self.resized.emit()
        return bool(super().eventFilter(watched, event))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802  Qt's name
        """Take hold; the canvas below is not panned."""
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802  Qt's name
        """Tell where it is dragged to."""
        place = self.mapToParent(event.pos()).x() / max(1, self._canvas.width())
        self.moved.emit(min(1.0, max(0.0, place)))

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  Qt's name
        """Draw a white line with a dark rim, which is seen on any tissue, and a handle in its middle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, high = self.width() / 2, self.height()
        for width, colour in ((_LINE + 2, _BLACK), (_LINE, _WHITE)):
            painter.fillRect(QRectF(middle - width / 2, 0, width, high), colour)
        painter.setPen(_BLACK)
        painter.setBrush(_WHITE)
        painter.drawRoundedRect(QRectF(middle - 4, (high - _HANDLE) / 2, 8, _HANDLE), 4, 4)
