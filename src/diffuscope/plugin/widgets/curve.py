"""A loss curve that grows while training goes on."""

from __future__ import annotations

from math import isfinite, log10

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

_TRAINING, _VALIDATION = QColor(130, 150, 180), QColor(235, 130, 40)
_MARGIN = 18
# Part of the old mean that a smoothed point keeps: single batches of a diffusion loss differ by their t.
_SMOOTH = 0.9


class LossCurve(QWidget):
    """Training loss, smoothed, and validation loss over steps, on a logarithmic axis.

    Attributes
    ----------
    training, validation : list of (int, float)
        Step and loss of each point; those of training are smoothed.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(120)
        self.setToolTip("Loss over steps, logarithmic: training, smoothed (blue); validation (orange)")
        self.clear(1)

    def clear(self, steps: int) -> None:
        """Begin anew, for so many steps."""
        self._steps = max(steps, 1)
        self.training: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float]] = []
        self.update()

    def add(self, step: int, loss: float, *, validation: bool) -> None:
        """Add a point."""
        if not isfinite(loss) or loss <= 0:
            return
        if validation:
            self.validation.append((step, loss))
        else:
            before = self.training[-1][1] if self.training else loss
            self.training.append((step, _SMOOTH * before + (1 - _SMOOTH) * loss))
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  Qt's name
        """Draw both curves."""
        losses = [loss for _, loss in (*self.training, *self.validation)]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(4, _MARGIN, -4, -_MARGIN)
        painter.setPen(QPen(QColor(128, 128, 128, 90)))
        painter.drawRect(area)
        if not losses:
            return
        low, high = log10(min(losses)), log10(max(losses))
        extent = max(high - low, 1e-3)

        def place(step: int, loss: float) -> QPointF:
            x = area.left() + area.width() * step / self._steps
            return QPointF(x, area.bottom() - area.height() * (log10(loss) - low) / extent)

        for points, colour, width in ((self.training, _TRAINING, 1.2), (self.validation, _VALIDATION, 2.0)):
            painter.setPen(QPen(colour, width))
            painter.drawPolyline([place(*point) for point in points])
        painter.setBrush(_VALIDATION)
        for point in self.validation:
            painter.drawEllipse(place(*point), 2.5, 2.5)
        painter.setPen(self.palette().windowText().color())
        painter.drawText(QRectF(4, 0, area.width(), _MARGIN), Qt.AlignmentFlag.AlignLeft, f"{max(losses):.3g}")
        painter.drawText(
            QRectF(4, area.bottom(), area.width(), _MARGIN), Qt.AlignmentFlag.AlignLeft, f"{min(losses):.3g}"
        )
        painter.drawText(
            QRectF(4, area.bottom(), area.width(), _MARGIN), Qt.AlignmentFlag.AlignRight, f"step {self._steps}"
        )
