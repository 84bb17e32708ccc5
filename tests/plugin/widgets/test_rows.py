"""Rows of forms: no line of a label is cut off, whatever fonts come to it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pytestqt")

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget

from diffuscope.plugin.widgets.pieces import mpp_spin
from diffuscope.plugin.widgets.rows import NarrowLabel, combo, form_layout, spin

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


def test_the_wheel_over_a_field_is_left_to_the_form_and_changes_no_number(qtbot: Any):
    number, real, choice = spin(0, 9, ""), mpp_spin(), combo()
    choice.addItems(["first", "second"])
    number.setValue(5)
    real.setValue(0.5)
    for field in (number, real, choice):
        qtbot.addWidget(field)
        field.show()
        field.setFocus()
        at, none = QPointF(field.rect().center()), Qt.MouseButton.NoButton
        down, no_key, no_phase = QPoint(0, -120), Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
        turn = QWheelEvent(at, QPointF(field.mapToGlobal(at.toPoint())), QPoint(), down, none, no_key, no_phase, False)
        QApplication.sendEvent(field, turn)
        assert not turn.isAccepted()  # what is not goes to the widget that it lies in
    assert (number.value(), real.value(), choice.currentIndex()) == (5, 0.5, 0)
