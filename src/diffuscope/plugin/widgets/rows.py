"""Widgets in rows: what every form of the plugin is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from qtpy.QtCore import QEvent, QSignalBlocker, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QToolButton, QWidget

from diffuscope.plugin.widgets.access import arrange
from diffuscope.plugin.widgets.elided import ElidedCombo
from diffuscope.plugin.widgets.still import StillSpin

#: Label of a row, px.
_WIDEST = 110
# What a style may put around a label's text, px: napari's fonts are wider than those that a new label is measured with.
_ROOM = 12
_WARNING = "padding: 4px; border-radius: 3px; background: rgba(220, 160, 40, 90);"


def combo() -> QComboBox:
    """Return a combo box whose longest entry does not set the width of the dock."""
    box = ElidedCombo()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def spin(low: int, high: int, tip: str) -> QSpinBox:
    """Return a spin box for whole numbers."""
    box = StillSpin()
    box.setRange(low, high)
    box.setToolTip(tip)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


class WholeText(QLabel):
    """A label that is never lower than its wrapped text: a form shares out its room by heights of other widths."""

    def setText(self, text: str) -> None:  # noqa: N802  Qt's name
        """Show a text, and take its room."""
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  Qt's name
        """Take the room that another width needs."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  Qt's name
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange}:
            self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(0)  # or Qt would count it in
        if self.text():
            self.setMinimumHeight(self.heightForWidth(self.width()))


def small_text() -> QLabel:
    """Return a label for a sentence or two, wrapped to the dock's width."""
    label = WholeText()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setContentsMargins(0, 0, 0, 4)
    # a long word (a path) must not set the width of the dock
    label.setMinimumWidth(1)
    return label


def warning_text() -> QLabel:
    """Return a label for what a user should know before believing something; `show_warning` fills it."""
    label = small_text()
    label.setStyleSheet(_WARNING)
    label.hide()
    return label


def show_warning(label: QLabel, sentences: Iterable[str]) -> None:
    """Show sentences, a line each, in a label of `warning_text`; none hide it."""
    label.setText("<br>".join(escape(sentence, quote=False) for sentence in sentences))
    label.setVisible(bool(label.text()))


def form_layout(widget: QWidget) -> QFormLayout:
    """Give a widget rows of label and field that stay narrow."""
    rows = QFormLayout(widget)
    rows.setContentsMargins(4, 4, 8, 4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return rows


def side_by_side(wide: QWidget, *narrow: QWidget) -> QWidget:
    """Return widgets in a row, the first taking the room."""
    both = QWidget()
    row = QHBoxLayout(both)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(wide, 1)
    for widget in narrow:
        row.addWidget(widget)
    return both


def fill(box: QComboBox, entries: dict[str, str], chosen: str) -> None:
    """Set the entries (data: text) of a combo box and its choice without telling anyone."""
    with quiet(box):
        if [box.itemData(i) for i in range(box.count())] != list(entries):
            box.clear()
            for key, text in entries.items():
                box.addItem(text, key)
        box.setCurrentIndex(box.findData(chosen))


@contextmanager
def quiet(widget: QWidget) -> Iterator[None]:
    """Change a widget without its signals."""
    blocker = QSignalBlocker(widget)
    try:
        yield
    finally:
        blocker.unblock()


def begun(text: str) -> str:
    """Return a name with a capital in front, where it begins with a word: no capital Γ for a γ, no CT for a cT."""
    first = text.split(maxsplit=1)[0]
    is_word = first.isascii() and first.isalpha() and first.islower()
    return text[0].upper() + text[1:] if is_word else text


class NarrowLabel(QLabel):
    """A label that breaks where it would take the room of the fields beside it, and begins as others do.

    A form gives its rows their heights before the viewer's fonts come to them: it measures itself anew with each.

    Parameters
    ----------
    text : str
        Of a port, a column or an option.
    """

    def __init__(self, text: str) -> None:
        super().__init__(begun(text))
        self.setWordWrap(True)
        self._fit()

    def setText(self, text: str) -> None:  # noqa: N802  Qt's name
        """Say something else, and take the room that it needs."""
        super().setText(text)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  Qt's name
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange}:
            self._fit()

    def _fit(self) -> None:
        width = min(self.fontMetrics().horizontalAdvance(self.text()) + _ROOM, _WIDEST)
        self.setFixedWidth(width)
        self.setMinimumHeight(self.heightForWidth(width))


class Fold(QToolButton):
    """A heading with an arrow, which opens and closes what is below it; who makes it says what that is."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggled.connect(self._turn)
        self._turn(False)

    def _turn(self, is_open: bool) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)


class RowBlock:
    """Rows of a form that come and go below a row that stays.

    Parameters
    ----------
    rows : QFormLayout
        The form.
    after : QWidget
        Field of the row that they follow.
    """

    def __init__(self, rows: QFormLayout, after: QWidget) -> None:
        self._rows, self._after = rows, after
        self._shown: list[QWidget] = []

    def show(self, fields: list[tuple[str, QWidget]]) -> None:
        """Put rows of label and field in the place of those that are shown; one without a label has all the room."""
        for old in self._shown:
            self._rows.removeRow(old)
        self._shown = [field for _, field in fields]
        position: Any = self._rows.getWidgetPosition(self._after)
        for number, (label, field) in enumerate(fields, start=position[0] + 1):
            if label:
                self._rows.insertRow(number, NarrowLabel(label), field)
            else:
                self._rows.insertRow(number, field)
        arrange(self._rows.parentWidget())
