"""A text that a model takes: written, pasted or loaded, and what is odd about it said below."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.files.read import read_text
from diffuscope.plugin.widgets.editor import as_editor
from diffuscope.plugin.widgets.rows import side_by_side, small_text
from diffuscope.ports.text import Text
from diffuscope.results.beside.mark import EDITED, unsigned

# A text needs more than a line, and Run must stay in sight.
_LINES = 5


class TextBox(QWidget):
    """An editor with a button that loads a file, and a sentence on what the model does not know of the text.

    Parameters
    ----------
    port : Text
        Which.
    typed : callable
        Called with the text when it has changed, without the blanks around it.
    complain : callable
        Called with a sentence where a file cannot be taken.

    Attributes
    ----------
    edit : QPlainTextEdit
        The text.
    open : QPushButton
        Asks for a file.
    note : QLabel
        What is odd about the text; hidden where nothing is.
    """

    def __init__(
        self,
        port: Text,
        typed: Callable[[str], None],
        complain: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._port, self._typed, self._complain = port, typed, complain
        self.edit = QPlainTextEdit()
        as_editor(self.edit, _LINES)
        self.edit.setPlaceholderText(f"Write or paste the {port.name} here, or load a file.")
        self.edit.setToolTip(f"{port.name}: at most {port.longest:,} characters")
        self.edit.setAccessibleName(port.name)
        self.open, self.clear = QPushButton("Load…"), QPushButton("Clear")
        self.open.setToolTip("A file of plain text (.txt, UTF-8)")
        self.note = small_text()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.addWidget(self.edit)
        layout.addWidget(side_by_side(self.open, self.clear))
        layout.addWidget(self.note)
        self.edit.textChanged.connect(self._changed)
        self.open.clicked.connect(self._ask)
        self.clear.clicked.connect(self.edit.clear)
        self._tell("")

    def load(self, path: Path) -> None:
        """Show the text of a file in place of what is there."""
        try:
            text = read_text(path)
        except InputError as error:
            self._complain(str(error))
            return
        except OSError as error:
            self._complain(f"{path} cannot be read ({error.strerror or error}): check the path.")
            return
        if not text.strip():
            self._complain(f"{path.name} is empty: choose another file.")
            return
        self.edit.setPlainText(text.strip())

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, f"Load the {self._port.name}", "", "Text (*.txt);;All files (*)")
        if path:
            self.load(Path(path))

    def _changed(self) -> None:
        text = self.edit.toPlainText().strip()
        self._tell(text)
        self._typed(text)

    def _tell(self, text: str) -> None:
        self.clear.setEnabled(bool(text))
        self.note.setText(escape(_odd(text, self._port), quote=False))
        self.note.setVisible(bool(self.note.text()))


def _odd(text: str, port: Text) -> str:
    """Say what is odd about a text; nothing where nothing is."""
    said, mark = unsigned(text)
    if long := port.too_long(said):
        return long[0].upper() + long[1:]
    made = {"": "", EDITED: "This text was written by hand over one that a model generated."}
    return port.doubt(said) or made.get(mark, "A model generated this text.")
