"""The dock for texts and images in a real viewer, by mouse and keyboard: from a report to layers, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawn_reports
import numpy as np
import pytest
from model_card import CARD
from patience import MILLISECONDS

from diffuscope.model.folder import save_model
from diffuscope.results.beside.mark import EDITED
from diffuscope.results.result import open_result
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from diffuscope.plugin.docks.texts import MARK, TextsDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.resume import request_to_resume
from diffuscope.plugin.panels.generated import ALL
from tests.plugin.docks.test_docks import Driver

pytestmark = pytest.mark.gui

PLACE = {"scale": (4000.0, 4000.0), "units": ("micrometer", "micrometer")}
LARGE = "There is a large nodule in the left lung."


@pytest.fixture
def at(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: Child
) -> Iterator[Any]:
    """The dock with a model that draws what it reads, and reads what was drawn."""
    monkeypatch.setitem(registry._ROWS, "any-to-any", drawn_reports.ROWS["any-to-any"])
    folder = save_model(tmp_path / "toy", build_system("any-to-any", {}), "any-to-any", {}, CARD)
    viewer = make_napari_viewer()
    viewer.window.show()
    driver = Driver(viewer, qtbot, TextsDock, tmp_path / "case.ome.zarr", compute)
    driver.use(folder)
    yield driver
    viewer.close()


def write(at: Any, text: str) -> Any:
    """Type a report in the place of what is there."""
    box = at.fields.given.texts["report"]
    box.edit.selectAll()
    at.qtbot.keyClicks(box.edit, text) if text else at.qtbot.keyClick(box.edit, Qt.Key.Key_Delete)
    return box


def tick(at: Any, *keys: str) -> None:
    """Have these outputs made, and no others."""
    for key, box in at.fields.goals.ticks.items():
        if box.isChecked() != (key in keys):
            at.qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center() * 0.2)


def go(at: Any) -> Any:
    at.form.out = str(at.out)
    assert not at.form.problem(), at.form.problem()
    at.qtbot.mouseClick(at.dock.run, Qt.MouseButton.LeftButton)
    at.until(lambda: at.dock.session.result is not None or at.state.failed)
    at.finish()
    return open_result(at.dock.session.result.path)


def scan(at: Any, name: str, text: str = LARGE, **about: Any) -> Any:
    return at.viewer.add_image(drawn_reports.draw(text).numpy(), name=name, **PLACE, **about)


@pytest.mark.slow
def test_a_report_becomes_layers(at: Any):
    assert at.dock.jobs.status.text() == "Nothing is given yet: write or load the report, or choose an image."
    write(at, LARGE)
    ticks = at.fields.goals.ticks
    assert not ticks["report"].isEnabled() and at.form.wanted == tuple(drawn_reports.IMAGES)
    tick(at, "ct", "xray")
    at.form.samples, at.form.seed = 2, 3
    at.fields.options.fields["guidance"].setValue(4.0)
    result = go(at)
    assert result.record["parameters"]["wanted"] == ["ct", "xray"]
    assert result.record["parameters"]["options"] == {"guidance": 4.0}
    assert result.record["inputs"] == {"report": {"text": LARGE}}
    layers = {layer.name: layer for layer in at.viewer.layers}
    pairs = [(f"generated {name}", f"generated {name}, uncertainty") for name in ("CT", "X-ray")]
    assert list(layers) == [name for pair in pairs for name in pair]
    for layer in layers.values():
        np.testing.assert_allclose(layer.scale, (4000.0, 4000.0))
        assert {str(unit) for unit in layer.units} == {"micrometer"}
        assert layer.metadata["report"] == LARGE
    # where the report says it is: brightest at the left, in either image
    for name in ("generated CT", "generated X-ray"):
        values = np.asarray(layers[name].data)
        assert values.shape == (64, 64) and np.argwhere(values > values.max() * 0.7)[:, 1].mean() < 28
    assert [layer.visible for layer in layers.values()] == [True, False, True, False]
    view = at.dock.generated.view
    assert view.currentData() == ALL and at.viewer.canvas.grid.enabled
    view.setCurrentIndex(view.findData("ct_sd"))
    view.activated.emit(view.currentIndex())
    assert [layer.visible for layer in layers.values()] == [False, True, False, False]
    assert not at.viewer.canvas.grid.enabled
    # what the system says of the case stands beside it
    assert not at.dock.notices.isVisibleTo(at.dock) and not at.dock.report.isVisibleTo(at.dock)


@pytest.mark.slow
def test_layers_become_a_report_that_is_edited_copied_and_kept(at: Any):
    ct, other = scan(at, "patient 7, CT", contrast_limits=(0, 1)), scan(at, "photo of a dog")
    ct.data = ct.data * 2000 - 1000
    assert [layer.name if layer else None for layer in at.dock.inputs.choices] == [ct.name] + [None] * 5
    assert at.fields._inputs.fold.text() == "Images: CT"
    tick(at, "report", "t1")
    result = go(at)
    assert result.record["inputs"]["ct"]["name"] == "patient 7, CT"
    assert result.texts["report"].text == LARGE
    panel = at.dock.report
    assert panel.isVisibleTo(at.dock) and panel.text == LARGE
    assert "Generated by toy (Diffuscope); research use only, not for diagnosis." in panel.mark.text()
    assert panel.sureness.text() == "Of 9 words 1 less sure and 1 unsure."
    signed = f"{LARGE}\n\nGenerated by toy (Diffuscope); research use only, not for diagnosis.\n"
    made = at.viewer.layers["generated T1"]
    assert ct.metadata["report"] == made.metadata["report"] == signed and "report" not in other.metadata
    np.testing.assert_allclose(made.extent.world, ct.extent.world)

    at.qtbot.keyClick(panel.edit, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    at.qtbot.keyClicks(panel.edit, " Seen before.")
    own = f"{LARGE} Seen before."
    at.qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == f"{own}\n\n{EDITED}\n"
    assert ct.metadata["report"] == made.metadata["report"] == f"{own}\n\n{EDITED}\n"
    target = at.out.with_name("edited.txt")
    at.dock.session.export(result, target, "report")
    at.until(lambda: at.state.is_idle)
    assert at.state.message == (
        f"Exported to {target}. Of generated report the text that was edited by hand was written, not the model's own."
    )
    assert target.read_text(encoding="utf-8") == f"{own}\n\n{EDITED}\n"
    assert panel.mark.text().endswith("Edited by you.")
    assert open_result(result.path).texts["report"].text == LARGE  # the model's own stays
    # opened again it is as it was left; and what the model wrote can be had again
    at.dock.session.show_result(None)
    assert not panel.isVisibleTo(at.dock)
    at.dock.session.show_result(open_result(result.path))
    assert panel.text == own
    at.qtbot.mouseClick(panel.undo, Qt.MouseButton.LeftButton)
    assert panel.text == LARGE and ct.metadata["report"] == signed and not panel.undo.isEnabled()
    assert not (result.path / "texts" / "report.edited.txt").exists()


def test_nothing_given_and_nothing_ticked_are_a_sentence_each(at: Any):
    said = at.dock.jobs.status
    at.form.out = str(at.out)
    at.qtbot.mouseClick(at.dock.run, Qt.MouseButton.LeftButton)
    assert at.state.failed and said.text().startswith("Nothing is given yet: write or load the report")
    write(at, LARGE)
    assert not said.text()
    tick(at)
    assert said.text() == "Tick at least one thing to make."
    assert at.fields.goals.note.text() == "Nothing is ticked: tick what shall be made."
    # what is given is not made: the tick that the user set is only set aside
    tick(at, "ct")
    layer = scan(at, "ct")
    assert not at.fields.goals.ticks["ct"].isEnabled() and said.text() == "Tick at least one thing to make."
    at.viewer.layers.remove(layer)
    assert at.form.wanted == ("ct",)


@pytest.mark.slow
def test_layers_of_another_kind_are_a_sentence_each(at: Any):
    note = at.fields.unfit
    assert not note.isVisibleTo(at.dock)
    pixels = np.zeros((8, 8), np.uint8)
    layers = [
        at.viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="photo"),
        at.viewer.add_labels(pixels, name="tumour"),
        at.viewer.add_image(np.zeros((4, 8, 8), np.uint8), name="head"),
    ]
    lines = note.text().split("<br>")
    assert lines[0] == "“photo” is in colour, and grey is needed: right-click it and choose Split RGB."
    assert lines[1] == "“tumour” holds labels and no image: open the image that they were drawn on."
    assert lines[2] == "“head” is a volume, and a flat image is needed: open one of its slices as an image."
    assert at.dock.inputs.layers == []
    for layer in layers:
        at.viewer.layers.remove(layer)
    assert not note.isVisibleTo(at.dock)
    # one that does not say how large its px are is asked for
    at.viewer.add_image(pixels, name="ct")
    assert at.form.problem() == "Give the µm/px of “ct”: it does not state it."
    at.fields.mpp.setValue(4000.0)
    assert "used as it is" in at.fields.resolution.text()


def test_what_is_odd_about_a_report_is_said_below_it(at: Any):
    box = write(at, "A spiculated nodule, 12 mm, in the left lobe.")
    assert box.note.text() == "The model has never read “spiculated”, “mm”, “lobe”: it can only guess what that means."
    write(at, LARGE)
    assert not box.note.isVisibleTo(at.dock)
    box.edit.setPlainText("word " * 100)
    assert box.note.text() == "Report has 499 characters and may have 400: shorten it."
    assert at.form.problem() == "report has 499 characters and may have 400: shorten it."


def test_a_report_is_loaded(at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "report.txt"), ""))
    box = at.fields.given.texts["report"]
    for content, sentence in (
        (b"  \n", "report.txt is empty: choose another file."),
        (b"caf\xe9", "is no text in UTF-8 (byte 3): save it again in UTF-8."),
    ):
        (tmp_path / "report.txt").write_bytes(content)
        at.qtbot.mouseClick(box.open, Qt.MouseButton.LeftButton)
        assert at.state.failed and sentence in at.dock.jobs.status.text() and "report" not in at.form.given
    (tmp_path / "report.txt").write_bytes(LARGE.encode() + b"\n")
    at.qtbot.mouseClick(box.open, Qt.MouseButton.LeftButton)
    assert at.form.given["report"] == LARGE
    at.qtbot.mouseClick(box.clear, Qt.MouseButton.LeftButton)
    assert "report" not in at.form.given


def test_nothing_is_cut_on_a_small_screen_nor_in_a_large_font(at: Any, qtbot: Any):
    area, window = at.dock.form_area, at.viewer.window._qt_window

    def is_whole() -> bool:
        bottom = at.dock.run.mapTo(window, at.dock.run.rect().bottomLeft()).y()
        # As it lies there, and not as wide as it might be: a widget may have been given a least width.
        return area.widget().width() <= area.viewport().width() and 0 < bottom <= window.height()

    write(at, "spiculated")
    at.fields._inputs.fold.setChecked(True)
    at.fields.fold.setChecked(True)
    editor = at.fields.given.texts["report"].edit
    for size in (9, 14):
        get_settings().appearance.font_size = size
        qtbot.waitUntil(is_whole, timeout=MILLISECONDS)
        qtbot.waitUntil(lambda: not at.dock.mark.visibleRegion().isEmpty(), timeout=MILLISECONDS)
        assert window.height() <= 800 and window.width() <= 1280
        assert MARK in at.dock.mark.text()
        assert editor.font().pointSizeF() == size


@pytest.mark.slow
def test_a_case_that_is_odd_is_told_and_a_run_is_cancelled(at: Any):
    at.fields.given.texts["report"].edit.setPlainText(f"{LARGE} " * 8)  # typed, each letter draws the window
    tick(at, "ct")
    result = go(at)
    assert result.record["notices"] == ["The report says more than this model knows."]
    assert at.dock.notices.text() == "The report says more than this model knows."
    at.out = at.out.with_name("other.ome.zarr")
    at.form.out, at.form.steps = str(at.out), 3000
    at.qtbot.mouseClick(at.dock.run, Qt.MouseButton.LeftButton)
    at.until(lambda: at.state.phase == "running")
    at.qtbot.mouseClick(at.dock.cancel, Qt.MouseButton.LeftButton)
    at.until(lambda: at.state.is_idle)
    assert at.state.message.startswith("Cancelled after 0 of 1 case"), at.state.message
    # what it takes to go on with is in the record
    again = request_to_resume(at.dock.session.result, [], at.form.model)
    assert again.given == at.form.given and again.settings["want"] == ["ct"] and again.placement is None
