"""Fields of numbers that leave the user alone.

The wheel goes past them: who scrolls a form means the form, not the number under the pointer. And setting what they
have already leaves the text as it is: a form that is renewed with every key would make 0 of "0." before more follows.
"""

from __future__ import annotations

from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox


class StillSpin(QSpinBox):
    """A whole number."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  Qt's name
        """Leave the wheel to what scrolls."""
        event.ignore()

    def setValue(self, value: int) -> None:  # noqa: N802  Qt's name
        """Set another number."""
        if value != self.value():
            super().setValue(value)

    def setSpecialValueText(self, text: str) -> None:  # noqa: N802  Qt's name
        """Set another text for the lowest number."""
        if text != self.specialValueText():
            super().setSpecialValueText(text)


class StillDoubleSpin(QDoubleSpinBox):
    """A number."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  Qt's name
        """Leave the wheel to what scrolls."""
        event.ignore()

    def setValue(self, value: float) -> None:  # noqa: N802  Qt's name
        """Set another number."""
        if value != self.value():
            super().setValue(value)

    def setSpecialValueText(self, text: str) -> None:  # noqa: N802  Qt's name
        """Set another text for the lowest number."""
        if text != self.specialValueText():
            super().setSpecialValueText(text)
