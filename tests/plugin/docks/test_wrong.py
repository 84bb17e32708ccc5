"""An error about a form leads to its field and goes once that is changed, in docks whose forms tell it when used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.compute import compute_of

pytestmark = [pytest.mark.gui, pytest.mark.slow]


@pytest.fixture
def dock_of(make_napari_viewer: Callable[..., Any], compute: Child, qtbot: Any) -> Callable[[str], Any]:
    viewer = make_napari_viewer()
    viewer.window.show()
    compute_of(viewer, compute)

    def open_(title: str) -> Any:
        _, dock = viewer.window.add_plugin_dock_widget("diffuscope", title)
        qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty(), timeout=MILLISECONDS)
        return dock

    return open_


def check(part: Any, said: str, field: Any, mend: Callable[[], Any]) -> None:
    """Run, be told, be led to the field, mend it, and be told no more."""
    state = part.session.state
    part.jobs.run.click()
    assert state.failed and said in state.message
    assert part.window().focusWidget() is field
    mend()
    assert not state.failed and state.message == ""


def test_train(dock_of: Callable[[str], Any], tmp_path: Path):
    dock = dock_of("Train")
    fields = dock.fields
    check(dock, "Choose the folder of your pairs", fields.data, lambda: fields.data.setText(str(tmp_path)))
    check(dock, "which folder the model", fields.out, lambda: fields.out.setText(str(tmp_path / "model")))
    fields.model.setCurrentIndex(0)  # from scratch
    check(dock, "which stain", fields.stain, lambda: fields.stain.setText("CD3"))


def test_many_slides(dock_of: Callable[[str], Any], tmp_path: Path):
    dock = dock_of("Many slides")
    fields = dock.fields
    check(dock, "Choose the slides", fields.slides, lambda: fields.slides.setText(str(tmp_path)))
    fields.out.setText("")
    check(dock, "which folder the results", fields.out, lambda: fields.out.setText(str(tmp_path / "all")))


def test_evaluate(dock_of: Callable[[str], Any], tmp_path: Path):
    dock = dock_of("Evaluate")
    dock.tabs.setCurrentIndex(1)
    part, fields = dock.cases, dock.cases.fields
    check(part, "Choose the folder of your pairs", fields.data, lambda: fields.data.setText(str(tmp_path)))
    check(part, "which folder the report", fields.out, lambda: fields.out.setText(str(tmp_path / "report")))


def test_register(dock_of: Callable[[str], Any]):
    dock = dock_of("Register")
    fields, viewer = dock.fields, dock.viewer
    grey = np.zeros((64, 64, 3), np.uint8)
    check(dock, "Choose the H&E", fields.fixed.browse, lambda: viewer.add_image(grey, name="he"))
    check(dock, "“he” does not state", fields.fixed.mpp, lambda: fields.fixed.mpp.setValue(0.5))
    check(dock, "Choose the restained", fields.moving.layer.box, lambda: viewer.add_image(grey, name="ihc"))
    check(dock, "“ihc” does not state", fields.moving.mpp, lambda: fields.moving.mpp.setValue(0.5))
    fields.landmarks.setCurrentIndex(1)
    check(dock, "Points layer", fields.landmarks, lambda: fields.landmarks.setCurrentIndex(0))
