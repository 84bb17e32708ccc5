"""An editor that marks words, and forgets the marks of what is written over."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtCore import Qt
from qtpy.QtGui import QTextCursor

from diffuscope.plugin.panels.sureness import words_of
from diffuscope.plugin.widgets.token_edit import TokenEdit
from diffuscope.ports.text import Written

pytestmark = pytest.mark.gui

WRITTEN = Written("a large nodule", (("a", 0.99), (" large", 0.4), (" nodule", 0.7)))


@pytest.fixture
def edit(qtbot: Any) -> TokenEdit:
    made = TokenEdit()
    qtbot.addWidget(made)
    made.show_words(WRITTEN.text, words_of(WRITTEN))
    return made


def marked(edit: TokenEdit) -> str:
    """Return the characters that are underlined, others as dots."""
    cursor, found = QTextCursor(edit.document()), ""
    for at, letter in enumerate(edit.toPlainText()):
        cursor.setPosition(at + 1)
        found += letter if cursor.charFormat().fontUnderline() else "."
    return found


def test_words_that_are_not_sure_are_underlined_and_tell_how_much(edit: TokenEdit):
    assert marked(edit) == "..large.nodule"
    cursor = QTextCursor(edit.document())
    told = []
    for at in (0, 4, 10):
        cursor.setPosition(at)
        told.append(edit._told(QTextCursor(cursor)))
    assert told == ["probability 0.99", "probability 0.40", "probability 0.70"]


def test_what_is_written_has_no_mark_and_is_undone_in_one(edit: TokenEdit, qtbot: Any):
    heard: list[str] = []
    edit.edited.connect(lambda: heard.append(edit.toPlainText()))
    cursor = edit.textCursor()
    cursor.setPosition(len("a large"))
    edit.setTextCursor(cursor)
    qtbot.keyClicks(edit, "st")
    assert edit.toPlainText() == "a largest nodule" and marked(edit) == "..large...nodule"
    assert heard == ["a larges nodule", "a largest nodule"]
    for _ in range(2):
        if edit.toPlainText() != WRITTEN.text:
            qtbot.keyClick(edit, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert edit.toPlainText() == WRITTEN.text and marked(edit) == "..large.nodule"


def test_showing_a_text_is_no_edit(edit: TokenEdit):
    heard: list[int] = []
    edit.edited.connect(lambda: heard.append(1))
    edit.show_words("another", [])
    assert edit.toPlainText() == "another" and marked(edit) == "......." and not heard
