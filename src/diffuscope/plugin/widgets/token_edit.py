"""An editor whose words show how sure a model was of them, until somebody writes over them."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QMimeData, Signal
from qtpy.QtGui import QColor, QHelpEvent, QInputMethodEvent, QKeyEvent, QTextCharFormat, QTextCursor, QTextFormat
from qtpy.QtWidgets import QTextEdit, QToolTip, QWidget

from diffuscope.plugin.panels.sureness import Level, Word
from diffuscope.plugin.widgets.rows import quiet

#: Underline, and ground where there is one, by level: told apart without colour as well.
COLOURS: dict[Level, tuple[QColor, QColor | None]] = {
    "less sure": (QColor(230, 170, 40), None),
    "unsure": (QColor(240, 90, 60), QColor(240, 90, 60, 110)),
}
_PROBABILITY = QTextFormat.Property.UserProperty.value + 1


class TokenEdit(QTextEdit):
    """Shows a text as its words are sure, and lets it be edited; what is written into it has no mark."""

    #: The user has changed the text.
    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptRichText(False)
        self._is_ours = False
        self.textChanged.connect(self._changed)

    def show_words(self, text: str, words: Sequence[Word]) -> None:
        """Show a text and the marks of its words."""
        self._is_ours = True
        with quiet(self):
            self.setPlainText(text)
            cursor = QTextCursor(self.document())
            for word in words:
                cursor.setPosition(word.start)
                cursor.setPosition(word.end, QTextCursor.MoveMode.KeepAnchor)
                cursor.setCharFormat(_format(word))
            self.document().clearUndoRedoStacks()
        self._is_ours = False

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802  Qt's name
        """Tell the probability of the word under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            words = self._told(self.cursorForPosition(event.pos()))
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return bool(super().viewportEvent(event))

    def _told(self, cursor: QTextCursor) -> str:
        cursor.movePosition(QTextCursor.MoveOperation.NextCharacter)  # a format is that of the character before
        probability = cursor.charFormat().property(_PROBABILITY)
        return "" if probability is None else f"probability {float(probability):.2f}"

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  Qt's name
        """Write what is typed without the mark of the word beside it."""
        if event.text().isprintable() and event.text():
            self._write_plainly()
        super().keyPressEvent(event)

    def insertFromMimeData(self, source: QMimeData) -> None:  # noqa: N802  Qt's name
        """Write what is pasted likewise."""
        self._write_plainly()
        super().insertFromMimeData(source)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:  # noqa: N802  Qt's name
        """Write what an input method composes likewise."""
        if event.commitString():
            self._write_plainly()
        super().inputMethodEvent(event)

    def _write_plainly(self) -> None:
        cursor = self.textCursor()
        if cursor.hasSelection():  # else the format would be that of what is written over
            cursor.removeSelectedText()
            self.setTextCursor(cursor)
        self.setCurrentCharFormat(QTextCharFormat())

    def _changed(self) -> None:
        if not self._is_ours:
            self.edited.emit()


def _format(word: Word) -> QTextCharFormat:
    """Return how a word looks, which knows its probability."""
    made = QTextCharFormat()
    made.setProperty(_PROBABILITY, word.probability)
    if word.level in COLOURS:
        line, ground = COLOURS[word.level]
        made.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        made.setUnderlineColor(line)
        if ground is not None:
            made.setBackground(ground)
    return made
