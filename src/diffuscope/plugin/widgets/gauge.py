"""A probability as a mark on a scale from 0 to 1, with how far it may lie off and where it decides."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from diffuscope.results.scores import Scored

_TRACK = QColor(128, 128, 128, 70)
# Of the band, in the colour of the text: red speaks for the class, blue against it, orange is where the model looked.
_ALPHA = 110
# Px: beside the scale, above it for the number, its height, below it for figures.
_SIDE, _TOP, _BAR, _BOTTOM = 16, 22, 14, 20


class Gauge(QWidget):
    """Shows a score: a triangle at it, a band of what other guides would say, a dashed line at the threshold."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(_TOP + _BAR + _BOTTOM)
        self._scored: Scored | None = None

    def show_score(self, scored: Scored | None) -> None:
        """Show a score; None, or one that is not known: an empty scale."""
        self._scored = scored
        tip = "Triangle: the score. Dashed: the threshold. Band: where the scores of models lie that were trained on "
        self.setToolTip(f"{tip}other patients of the same kind, nominally 90 % of them")
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  Qt's name
        """Draw all."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        scale = QRectF(_SIDE, _TOP, self.width() - 2 * _SIDE, _BAR)
        text = self.palette().windowText().color()
        painter.fillRect(scale, _TRACK)
        painter.setPen(text)
        for value in (0.0, 0.5, 1.0):
            place = QRectF(_x(scale, value) - _SIDE, scale.bottom(), 2 * _SIDE, _BOTTOM)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, f"{value:g}")
        scored = self._scored
        if scored is None or scored.mean != scored.mean:
            return
        if scored.over_guides is not None:
            low, high = (_x(scale, end) for end in scored.over_guides)
            band = QColor(text.red(), text.green(), text.blue(), _ALPHA)
            painter.fillRect(QRectF(low, scale.top(), max(high - low, 2.0), scale.height()), band)
        if scored.port.threshold is not None:
            at = _x(scale, scored.port.threshold)
            painter.setPen(QPen(text, 1.5, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(at, scale.top() - 4), QPointF(at, scale.bottom() + 4))
        self._mark(painter, scale, scored.mean, text)

    def _mark(self, painter: QPainter, scale: QRectF, value: float, text: QColor) -> None:
        at = _x(scale, value)
        painter.setPen(QPen(text, 2.0))
        painter.drawLine(QPointF(at, scale.top()), QPointF(at, scale.bottom()))
        painter.setBrush(text)
        painter.drawPolygon(
            QPolygonF([QPointF(at, scale.top()), QPointF(at - 6, scale.top() - 8), QPointF(at + 6, scale.top() - 8)])
        )
        painter.setPen(text)
        # beside the triangle, on the side where there is room
        room = QRectF(at + 10, 0, 60, _TOP - 2) if value < 0.5 else QRectF(at - 70, 0, 60, _TOP - 2)
        side = Qt.AlignmentFlag.AlignLeft if value < 0.5 else Qt.AlignmentFlag.AlignRight
        painter.drawText(room, side | Qt.AlignmentFlag.AlignVCenter, f"{value:.2f}")


def _x(scale: QRectF, value: float) -> float:
    return scale.left() + scale.width() * min(max(value, 0.0), 1.0)
