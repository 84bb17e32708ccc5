"""Parts of a difference as bars to the left and to the right of nothing."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from diffuscope.exports.report.hues import AGAINST, FOR

_FOR, _AGAINST, _ZERO = QColor(*FOR), QColor(*AGAINST), QColor(128, 128, 128, 160)
# Px: a row, its bar, the figure at the right; the name has a part of the width.
_ROW, _BAR, _FIGURE = 22, 12, 52
_NAME = 0.36


class SignedBars(QWidget):
    """Shows signed numbers with their names, the largest first: red what raises, blue what lowers.

    Attributes
    ----------
    shown : list of (str, float)
        In the order in which they are shown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: list[tuple[str, float]] = []

    def show_parts(self, parts: Sequence[tuple[str, float]]) -> None:
        """Show names and numbers; hidden where there are none."""
        self.shown = sorted(parts, key=lambda part: -abs(part[1]))
        self.setFixedHeight(_ROW * len(self.shown))
        self.setVisible(bool(self.shown))
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  Qt's name
        """Draw a row a number."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text, metrics = self.palette().windowText().color(), self.fontMetrics()
        name_width = self.width() * _NAME
        field = QRectF(name_width + 6, 0, self.width() - name_width - _FIGURE - 12, self.height())
        most = max((abs(value) for _, value in self.shown), default=0.0) or 1.0
        middle = field.center().x()
        painter.fillRect(QRectF(middle - 0.5, 0, 1, self.height()), _ZERO)
        for row, (name, value) in enumerate(self.shown):
            top = row * _ROW
            length = field.width() / 2 * abs(value) / most
            bar = QRectF(middle if value > 0 else middle - length, top + (_ROW - _BAR) / 2, length, _BAR)
            painter.fillRect(bar, _FOR if value > 0 else _AGAINST)
            painter.setPen(text)
            short = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(name_width))
            painter.drawText(QRectF(0, top, name_width, _ROW), Qt.AlignmentFlag.AlignVCenter, short)
            figure = f"{value:+.2f}".replace("-", "−")
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(self.width() - _FIGURE, top, _FIGURE - 2, _ROW), right, figure)
