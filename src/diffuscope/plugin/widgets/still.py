"""Fields that the wheel goes past: who scrolls a form means the form, not the number under the pointer."""

from __future__ import annotations

from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox


class StillSpin(QSpinBox):
    """A whole number."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  Qt's name
        """Leave the wheel to what scrolls."""
        event.ignore()


class StillDoubleSpin(QDoubleSpinBox):
    """A number."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  Qt's name
        """Leave the wheel to what scrolls."""
        event.ignore()
