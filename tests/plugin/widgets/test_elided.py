"""A field too narrow for its text says so by an ellipsis, and tells all of it under the pointer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication

from diffuscope.plugin.widgets.elided import ElidedCombo, PathEdit

pytestmark = pytest.mark.gui

PATH = "/home/somebody/Documents/Diffuscope/CMU-1-Small-Region.stain-cd3-demo.ome.zarr"


def pixels(widget: Any) -> np.ndarray:
    image = widget.grab().toImage()
    return np.array([[image.pixel(x, y) for x in range(image.width())] for y in range(image.height())])


def test_a_path_keeps_its_end_and_tells_all_of_itself(qtbot: Any):
    edit = PathEdit("Result folder")
    qtbot.addWidget(edit)
    edit.setFixedWidth(200)
    edit.show()
    edit.setText(PATH)
    assert edit.shown.startswith("…") and edit.shown.endswith(".ome.zarr")
    assert edit.toolTip() == f"Result folder\n{PATH}" and edit.text() == PATH
    narrow = pixels(edit)
    edit.setText(edit.shown)  # what is drawn is what it says
    edit.clearFocus()
    shorter = pixels(edit)
    assert narrow.shape == shorter.shape and (narrow != shorter).mean() < 0.05
    edit.setFixedWidth(2000)
    edit.setText(PATH)
    assert edit.shown == PATH


def test_a_choice_that_is_too_long_is_told_under_the_pointer(qtbot: Any):
    box = ElidedCombo()
    qtbot.addWidget(box)
    box.addItems(["Made from one side alone", "short"])
    box.setFixedWidth(90)
    box.show()

    def hover() -> str:
        QApplication.sendEvent(box, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), box.mapToGlobal(QPoint(5, 5))))
        return box.toolTip()

    long = pixels(box)
    assert hover() == "Made from one side alone"
    box.setCurrentIndex(1)
    assert hover() == "short" and (pixels(box) != long).any()
    box.setToolTip("of its own")
    assert hover() == "of its own"
