"""Rows of forms: no line of a label is cut off, whatever fonts come to it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QLineEdit, QWidget

from diffuscope.plugin.widgets.rows import NarrowLabel, form_layout

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("text", ["age (years)", "time between operation and blood (days)", "γ"])
def test_every_line_of_a_label_is_seen_in_fonts_that_come_late(qtbot: Any, text: str):
    form = QWidget()
    qtbot.addWidget(form)
    rows = form_layout(form)
    label = NarrowLabel(text)
    rows.addRow(label, QLineEdit())
    form.show()
    for points in (9, 14, 20):
        form.setStyleSheet(f"* {{ font-size: {points}pt; }}")
        qtbot.waitUntil(lambda points=points: label.font().pointSize() == points)
        qtbot.wait(20)
        assert label.height() >= label.heightForWidth(label.width())
        assert label.width() <= 110


@pytest.mark.parametrize(
    ("text", "label"), [("age (years)", "Age (years)"), ("cT", "cT"), ("p16", "p16"), ("γ", "γ"), ("CRP", "CRP")]
)
def test_a_label_begins_as_others_do_unless_its_letters_mean_something(qtbot: Any, text: str, label: str):
    shown = NarrowLabel(text)
    qtbot.addWidget(shown)
    assert shown.text() == label
