"""A wrapped text keeps its room, whatever else a form has to show."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QVBoxLayout, QWidget

from diffuscope.plugin.widgets.rows import small_text

pytestmark = pytest.mark.gui


def test_a_text_is_never_lower_than_its_lines(qtbot: Any):
    whole = QWidget()
    qtbot.addWidget(whole)
    layout = QVBoxLayout(whole)
    text, other = small_text(), small_text()
    layout.addWidget(text)
    layout.addWidget(other)
    text.setText("word " * 60 + "<b>Not for diagnosis.</b>")
    whole.show()
    for width in (300, 160, 240):
        whole.resize(width, 10)  # as little as it may have
        qtbot.wait(20)
        whole.resize(width, 10)
        qtbot.wait(20)
        assert text.height() >= text.minimumHeight() == text.heightForWidth(text.width()) > 20
    tall = text.minimumHeight()
    text.setText("word")
    assert 0 < text.minimumHeight() < tall / 3 and other.minimumHeight() == 0
