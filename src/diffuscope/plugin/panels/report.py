"""A report that a model wrote: to be read with how sure each word is, corrected and copied; it says what it is."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor, QGuiApplication
from qtpy.QtWidgets import QGroupBox, QPushButton, QVBoxLayout, QWidget

from diffuscope.plugin.panels.sureness import LESS_SURE, SURE, sureness_text, words_of
from diffuscope.plugin.widgets.editor import as_editor
from diffuscope.plugin.widgets.rows import side_by_side, small_text
from diffuscope.plugin.widgets.token_edit import COLOURS, TokenEdit
from diffuscope.ports.text import Written
from diffuscope.results.beside.mark import EDITED, signed

_LINES = 7


class ReportPanel(QGroupBox):
    """Shows one text of a result; hidden where there is none.

    Attributes
    ----------
    edit : TokenEdit
        The text.
    mark, sureness, legend : QLabel
        What made it; how many words are sure; what the marks mean.
    copy, undo : QPushButton
        Copies the text with its mark; shows what the model wrote again.
    """

    #: The text that the user has made of it.
    edited = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Generated report", parent)
        self._written = Written("")
        self.mark, self.sureness, self.legend = small_text(), small_text(), small_text()
        self.edit = TokenEdit()
        as_editor(self.edit, _LINES)
        self.edit.setToolTip("Point at a word for its probability; write over what is wrong")
        self.legend.setText(_legend())
        self.copy, self.undo = QPushButton("Copy"), QPushButton("As generated")
        self.copy.setToolTip("Copy the text, with the line that says who wrote it")
        self.undo.setToolTip("Show again what the model wrote, in place of your text")
        layout = QVBoxLayout(self)
        for widget in (self.mark, self.edit, self.sureness, self.legend, side_by_side(self.copy, self.undo)):
            layout.addWidget(widget)
        self.edit.edited.connect(self._edited)
        self.copy.clicked.connect(self._copy)
        self.undo.clicked.connect(self._undo)
        self.hide()

    @property
    def text(self) -> str:
        """As it stands, without its mark."""
        return self.edit.toPlainText().strip()

    @property
    def signed(self) -> str:
        """As it stands, with the line that says who wrote it."""
        return signed(self.text, EDITED if self._is_own else self._mark)

    @property
    def _is_own(self) -> bool:
        return self.text != self._written.text.strip()

    def show_text(self, written: Written | None, mark: str, edited: str | None = None) -> None:
        """Show what a model wrote, or what a user made of it.

        Parameters
        ----------
        written : Written or None
            None: there is nothing, and the panel is hidden.
        mark : str
            The sentence that says what made it.
        edited : str, optional
            What a user has made of it.
        """
        self.setVisible(written is not None)
        self._written, self._mark = written or Written(""), mark
        words = words_of(self._written)
        if edited is None:
            self.edit.show_words(self._written.text, words)
        else:
            self.edit.show_words(edited, [])
        self.sureness.setText(escape(sureness_text(words), quote=False))
        for label in (self.sureness, self.legend):
            label.setVisible(bool(words))
        self._tell()

    def _edited(self) -> None:
        self._tell()
        self.edited.emit(self.text)

    def _undo(self) -> None:
        self.show_text(self._written, self._mark)
        self.edited.emit(self.text)

    def _tell(self) -> None:
        self.mark.setText(f"<b>{escape(self._mark, quote=False)}</b>{' Edited by you.' if self._is_own else ''}")
        self.undo.setEnabled(self._is_own)
        self.copy.setEnabled(bool(self.text))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.signed)


def _legend() -> str:
    """Say what the marks of words mean, as they look."""
    (line, _), (_, ground) = COLOURS["less sure"], COLOURS["unsure"]
    assert ground is not None
    return (
        f"<u style='color: {line.name()}'>Less sure</u>: probability {LESS_SURE:g} to {SURE:g}. "
        f"<u style='background-color: {_css(ground)}'>Unsure</u>: below {LESS_SURE:g}. "
        f"No mark: {SURE:g} or more. A word that the model is sure of may be wrong all the same."
    )


def _css(colour: QColor) -> str:
    return f"rgba({colour.red()}, {colour.green()}, {colour.blue()}, {colour.alphaF():.2f})"
