"""Fields that say with an ellipsis that they are too narrow for their text, and tell all of it under the pointer."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QPaintEvent, QWheelEvent
from qtpy.QtWidgets import (
    QComboBox,
    QLineEdit,
    QStyle,
    QStyleOptionComboBox,
    QStyleOptionFrame,
    QStylePainter,
)

# Between the edge of a line and its text on either side, px: as much as Qt leaves.
_MARGIN = 4


class ElidedCombo(QComboBox):
    """A list of choices whose chosen entry is elided at its end."""

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Draw as Qt does, the text elided."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex() < 0:
            option.currentText = self.placeholderText()
        painter = QStylePainter(self)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideRight, room.width() - 2 * _MARGIN
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def event(self, event: QEvent) -> bool:
        """Tell all of the chosen entry where the field has no tip of its own."""
        if event.type() == QEvent.Type.ToolTip and not self._own_tip():
            self.setToolTip(self.currentText())
            self.setProperty("tip", self.currentText())
        return bool(super().event(event))

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  Qt's name
        """Leave the wheel to what scrolls: it means the form, not the choice under the pointer."""
        event.ignore()

    def _own_tip(self) -> bool:
        return self.toolTip() not in ("", self.property("tip"))


class PathEdit(QLineEdit):
    """A path, elided at its left while it is not written in, and whole under the pointer.

    Parameters
    ----------
    tip : str
        What the path is of.
    """

    def __init__(self, tip: str) -> None:
        super().__init__()
        self._tip = tip
        self.setToolTip(tip)
        self.textChanged.connect(self._tell)

    @property
    def shown(self) -> str:
        """The path as there is room for it."""
        return self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideLeft, self.contentsRect().width() - 2 * _MARGIN
        )

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Draw as Qt does where all of it is seen or it is being written."""
        if self.hasFocus() or self.shown == self.text():
            super().paintEvent(event)
            return
        option = QStyleOptionFrame()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        painter.drawPrimitive(QStyle.PrimitiveElement.PE_PanelLineEdit, option)
        room = self.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, self)
        room.adjust(_MARGIN // 2, 0, -_MARGIN // 2, 0)
        painter.setPen(option.palette.text().color())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.shown)

    def _tell(self, text: str) -> None:
        self.setToolTip("\n".join(part for part in (self._tip, text) if part))
