"""Docks without a mouse and without eyes: Tab goes through each field as it stands, and each says what it is."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSlider,
    QTabBar,
    QWidget,
)

from diffuscope.plugin.docks.welcome import DOCKS
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.queue import Entry

pytestmark = [pytest.mark.gui, pytest.mark.slow]

FIELDS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QSlider)
SAMPLES = {"Lymph-node scoring": "oesophagus", "Modality translation": "sarcoma", "Nanoparticle distribution": "tumour"}


def fields_of(dock: QWidget) -> list[QWidget]:
    """Return the fields that are seen, in the order in which Tab goes through them."""
    found, one = [], dock.nextInFocusChain()
    while one is not dock:
        is_part = isinstance(one.parent(), QAbstractSpinBox | QComboBox | QTabBar)
        if isinstance(one, FIELDS) and dock.isAncestorOf(one) and one.isVisible() and not is_part:
            found += [one] if one.focusPolicy() & Qt.FocusPolicy.TabFocus else []
        one = one.nextInFocusChain()
    return found


def name_of(field: QWidget) -> str:
    """Return what a screen reader says of a field, as Qt takes it from the field and its label."""
    label = next((one for one in field.parentWidget().findChildren(QLabel) if one.buddy() is field), None)
    text = field.text() if isinstance(field, QAbstractButton) else ""
    words = field.accessibleName() or text or (label.text() if label is not None else "")
    return words if any(letter.isalpha() for letter in words) else ""


def whole_of(field: QWidget, dock: QWidget) -> QWidget:
    """Return what scrolls a field, else the dock."""
    areas = [area for area in dock.findChildren(QScrollArea) if area.isAncestorOf(field)]
    return areas[-1].widget() if areas else dock


def check_order(fields: list[QWidget], dock: QWidget) -> None:
    """Check that fields of a dock are gone through as they stand: what scrolls reaches below what stands under it."""
    wholes = [whole_of(field, dock) for field in fields]
    assert len(set(wholes)) == len([whole for whole, _ in groupby(wholes)])
    for whole in dict.fromkeys(wholes):
        above, left = -1, -1
        for field in [one for one, its in zip(fields, wholes, strict=True) if its is whole]:
            at = field.mapTo(whole, QPoint(0, field.height() // 2))
            is_beside = abs(at.y() - above) < 12  # of two side by side one may be a little higher
            assert at.x() > left if is_beside else at.y() > above, f"Tab goes back to {name_of(field)!r}"
            above, left = at.y(), at.x()


@pytest.mark.parametrize("title", [*DOCKS, "Other models"])
def test_fields_are_gone_through_as_they_stand_and_have_names(make_napari_viewer: Any, qtbot: Any, title: str):
    viewer = make_napari_viewer()
    viewer.window.show()
    viewer.open_sample("diffuscope", SAMPLES.get(title, "cmu-1"))
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", title)
    qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty(), timeout=MILLISECONDS)
    qtbot.wait(200)
    fields = fields_of(dock)
    assert [(type(one).__name__, one.toolTip()) for one in fields if not name_of(one)] == []
    check_order(fields, dock)
    assert len(fields) > 3
    viewer.close()


def test_jobs_of_the_list_are_gone_through_where_they_stand(make_napari_viewer: Any, qtbot: Any):
    viewer = make_napari_viewer()
    viewer.window.show()
    viewer.open_sample("diffuscope", "cmu-1")
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Register")
    other = QPushButton("Of another dock")
    viewer.window.add_dock_widget(other, area="left")
    qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty(), timeout=MILLISECONDS)
    qtbot.wait(200)  # until it is arranged
    queue = dock.session.compute.queue
    for name in "abc":
        job = Job(text=f"register {name}", doing="", work=lambda _child, _stop: iter(()))
        queue.add(Entry(job=job, owner=dock.session, failure="There is no tissue."))
    for left in ("abc", "ac"):
        qtbot.wait(200)
        fields = fields_of(dock)
        names = [name_of(field) for field in fields]
        at = [names.index(f"Take off the list: register {name}: There is no tissue.") for name in left]
        assert at == list(range(at[0], at[0] + len(left))) and at[-1] < names.index("Run")
        check_order(fields, dock)
        fields[at[1]].click()
    # and all of the dock before what stands behind it in the window
    one, behind = other.nextInFocusChain(), []
    while one is not dock:
        behind += [one] if dock.isAncestorOf(one) and one.focusPolicy() & Qt.FocusPolicy.TabFocus else []
        one = one.nextInFocusChain()
    assert behind == []
    viewer.close()
