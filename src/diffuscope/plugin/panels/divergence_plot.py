"""Divergence of one tile over its denoising steps, with γ as a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from diffuscope.plugin.layers.decisions import Decisions

_LINE, _MULTIMODAL, _UNIMODAL = QColor(130, 150, 180), QColor(235, 130, 40), QColor(80, 140, 230)
_MARGIN = 18
# Part of the range of d that is left free above and below.
_FREE = 0.08


class DivergencePlot(QWidget):
    """d of a tile over the denoising steps, a line a sample; points tell the branch that was taken.

    Attributes
    ----------
    slot : tuple of int or None
        Row and column of the tile that is shown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(130)
        self.setToolTip(
            "Divergence d of the tile under the cursor over the denoising steps, a line a sample. Orange points: the "
            "multi-modal branch was taken; blue: the uni-modal one. Dashed: γ"
        )
        self.slot: tuple[int, ...] | None = None
        self._decisions: Decisions | None = None
        self._gamma: float | None = None

    def show_decisions(self, decisions: Decisions | None) -> None:
        """Forget what is shown and take the decisions of another result."""
        self._decisions, self.slot = decisions, None
        self.update()

    def show_gamma(self, gamma: float | None) -> None:
        """Move the line; None removes it."""
        self._gamma = gamma
        self.update()

    def show_tile(self, slot: tuple[int, ...] | None) -> None:
        """Show a tile; one that was not computed, or None, leaves what is shown."""
        if self._decisions is None or slot is None or slot == self.slot:
            return
        if np.isfinite(self._decisions.d[slot]).any():
            self.slot = slot
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  Qt's name
        """Draw the curves and the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(4, _MARGIN, -4, -_MARGIN)
        painter.setPen(QPen(QColor(128, 128, 128, 90)))
        painter.drawRect(area)
        painter.setPen(self.palette().windowText().color())
        if self._decisions is None or self.slot is None:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "Move the cursor over the result")
            return
        low, high = axis_of(self._decisions.d, self._gamma)
        curves, taken = self._decisions.curves(self.slot), self._decisions.branches(self.slot)
        steps = curves.shape[1]

        def place(step: int, d: float) -> QPointF:
            x = area.left() + area.width() * (step + 0.5) / steps
            return QPointF(x, area.bottom() - area.height() * (d - low) / (high - low))

        row, column = self.slot
        painter.drawText(QRectF(4, 0, area.width(), _MARGIN), Qt.AlignmentFlag.AlignLeft, f"d {high:.3f}")
        painter.drawText(
            QRectF(4, 0, area.width(), _MARGIN), Qt.AlignmentFlag.AlignRight, f"tile {row}, {column} (row, column)"
        )
        foot = QRectF(4, area.bottom(), area.width(), _MARGIN)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, f"d {low:.3f}")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"step {steps}")
        if self._gamma is not None:
            line = place(0, self._gamma).y()
            painter.setPen(QPen(QColor(200, 60, 60), 1.5, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(area.left(), line), QPointF(area.right(), line))
            painter.drawText(QPointF(area.left() + 4, line - 3), "γ")
        for curve, branch in zip(curves, taken, strict=True):
            points = [place(step, float(d)) for step, d in enumerate(curve) if np.isfinite(d)]
            painter.setPen(QPen(_LINE, 1.2))
            painter.drawPolyline(points)
            painter.setPen(Qt.PenStyle.NoPen)
            for point, multimodal in zip(points, branch[np.isfinite(curve)], strict=True):
                painter.setBrush(_MULTIMODAL if multimodal else _UNIMODAL)
                painter.drawEllipse(point, 2.5, 2.5)


def axis_of(d: NDArray[np.float32], gamma: float | None) -> tuple[float, float]:
    """Return the ends of the axis, the same for all tiles of a result: its divergences and γ, with some room."""
    shown = [float(np.nanmin(d)), float(np.nanmax(d)), *([] if gamma is None else [gamma])]
    low, high = min(shown), max(shown)
    room = max(_FREE * (high - low), 1e-3)
    return low - room, high + room
