"""The dock "Evaluate" in a real viewer: two layers, and a tiny model on cases in a real child process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import MILLISECONDS
from PIL import Image

from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from diffuscope.plugin.docks.evaluate import EvaluateDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import is_result

pytestmark = pytest.mark.gui

SIDE = 96


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two fields of the sample slide; their "IHC" is the H&E turned brown."""
    folder = tmp_path_factory.mktemp("data") / "cases"
    scan = open_scan(sample_path("CMU-1-Small-Region.svs"))
    for name, y in (("a", 700), ("<b>", 1200)):
        he = read_region(scan, y=y, x=900, height=SIDE, width=SIDE, factor=1.0)
        ihc = np.stack([he[..., 1], he[..., 1] // 2 + 60, he[..., 1] // 3 + 40], axis=2)
        for key, picture in (("he", he), ("ihc", ihc)):
            (folder / key).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / key / f"{name}.png")
    return folder


class Driver:
    """What a user does at a viewer with the dock."""

    def __init__(self, viewer: Any, qtbot: Any, child: Child | None = None) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window._qt_window.resize(1280, 800)
        self.dock = EvaluateDock(viewer, child)
        self.area = viewer.window.add_dock_widget(self.dock, name="Evaluate", area="right")
        self.layers, self.cases = self.dock.layers, self.dock.cases
        self.state = self.dock.session.state

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=MILLISECONDS)

    def compare(self) -> str:
        self.layers.compare.click()
        self.until(lambda: self.state.is_idle)
        return self.state.message or self.layers.notes.text()

    def refused(self) -> str:
        self.cases.evaluate.click()
        return self.state.message

    def evaluate(self) -> str:
        self.cases.evaluate.click()
        self.until(lambda: self.state.is_idle)
        return self.state.message


@pytest.mark.slow
def test_two_layers_of_a_viewer(make_napari_viewer: Callable[..., Any], qtbot: Any, compute: Child):
    driver = Driver(make_napari_viewer(), qtbot, compute)
    viewer, widget = driver.viewer, driver.layers
    assert "Open two pictures" in driver.compare()
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    place = {"scale": (0.5, 0.5), "translate": (3.0, 4.0)}
    viewer.add_image(truth, name="truth", **place)
    viewer.add_image(255 - truth, name="found <1>", **place)
    viewer.add_image(truth[:32], name="half")
    viewer.add_points(np.zeros((1, 2)))
    assert [widget.truth.itemText(i) for i in range(widget.truth.count())] == ["truth", "found <1>", "half"]
    assert (widget.truth.currentText(), widget.found.currentText()) == ("truth", "found <1>")
    viewer.layers.selection.active = viewer.layers["half"]
    assert "Compared at full resolution, 80 × 64 px." in driver.compare()
    rows = range(widget.table.rowCount())
    table = {widget.table.item(row, 0).text(): widget.table.item(row, 1).text() for row in rows}
    expected = np.mean((2.0 * truth - 255.0) ** 2)
    assert float(table["MSE"]) == pytest.approx(expected, rel=1e-3)
    assert float(table["PSNR (dB)"]) == pytest.approx(10 * np.log10(255**2 / expected), abs=0.006)
    error = viewer.layers["absolute error: found <1> − truth"]
    np.testing.assert_allclose(error.data, np.abs(2.0 * truth - 255.0).mean(axis=2), rtol=1e-5)
    np.testing.assert_array_equal(error.scale, (0.5, 0.5))
    np.testing.assert_array_equal(error.translate, (3.0, 4.0))
    # It is nobody's input, and takes nobody away from what they look at.
    assert is_result(error) and widget.found.count() == 3 and viewer.layers.selection.active.name == "half"

    assert "lie at different places" not in widget.notes.text()
    viewer.layers["found <1>"].translate = (30.0, 4.0)
    driver.compare()
    assert "the two lie at different places, are turned or mirrored, or have different px" in widget.notes.text()
    viewer.layers["found <1>"].translate = (3.0, 4.0)
    while len(viewer.layers) > 5:
        viewer.layers.pop()

    viewer.layers["half"].name = "<other>"
    widget.found.setCurrentText("<other>")
    assert "80 × 64 px and “<other>” 80 × 32 px: choose two layers of one shape" in driver.compare()
    assert widget.table.isHidden() and len(viewer.layers) == 5
    widget.found.setCurrentText("truth")  # what was said of the other goes
    assert not driver.dock.session.state.failed and driver.dock.session.state.message == ""
    widget.found.setCurrentText("<other>")
    viewer.layers.remove("found <1>")
    assert (widget.truth.currentText(), widget.found.currentText()) == ("truth", "<other>")


def test_where_volumes_alone_are_open_it_says_what_takes_them(make_napari_viewer: Callable[..., Any], qtbot: Any):
    viewer = make_napari_viewer()
    dock = EvaluateDock(viewer, Child("fake_verbs"))
    assert dock.layers.jobs.hint.startswith("Open two pictures")
    for name in ("truth", "found"):
        viewer.add_image(np.zeros((4, 8, 8)), name=name)
    assert dock.layers.jobs.hint.startswith("What is open are volumes, and pictures alone")
    dock.layers.compare.click()
    assert dock.session.state.failed and dock.session.state.message == dock.layers.jobs.hint
    dock.session.close()


@pytest.mark.slow
def test_a_model_on_cases_to_a_report_and_its_worst_field(
    make_napari_viewer: Callable[..., Any],
    qtbot: Any,
    compute: Child,
    tiny_model: Path,
    cases: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    driver = Driver(make_napari_viewer(), qtbot, compute)
    widget, fields, out = driver.cases, driver.cases.fields, tmp_path / "report"
    assert widget.form.model == "stain-cd3-demo" and fields.model.count() == 3
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tiny_model))
    fields.browse_model.click()
    assert widget.form.model == str(tiny_model) and fields.quality.currentData() == widget.form.quality

    # What is wrong is told in one sentence, and nothing is written.
    assert "Choose the folder of your pairs" in driver.evaluate()
    fields.data.setText(str(tmp_path))
    assert "Say which folder" in driver.evaluate()
    fields.out.setText(str(out))
    assert "has no folder he" in driver.evaluate()
    fields.data.setText(str(cases))
    assert "µm/px" in driver.evaluate()
    assert not (out / "report.json").exists()

    fields.mpp.setValue(0.5)
    fields.resume.setChecked(True)
    widget.evaluate.click()
    driver.until(lambda: "Case 1 of 2" in driver.state.progress_text)
    assert widget.evaluate.text() == "Add to queue" and not widget.cancel.isHidden()
    assert "is written by a job at work" in driver.refused()
    widget.cancel.click()
    driver.until(lambda: driver.state.is_idle)
    assert driver.state.message.startswith("Stopped.") and not (out / "report.json").exists()
    assert widget.table.isHidden() and fields.resume.isVisibleTo(fields)
    fields.resume.setChecked(False)
    assert "exists already: tick" in driver.evaluate()
    widget.jobs.go_on.click()
    driver.until(lambda: driver.state.is_idle)
    assert driver.state.message.startswith("Done. Worst: ") and widget.jobs.go_on.isHidden()
    report = json.loads((out / "report.json").read_text())
    table = widget.table
    assert [table.horizontalHeaderItem(c).text() for c in range(3)] == ["Measure", "untrained", "the input itself"]
    assert table.item(0, 0).text() == "PSNR (dB)" and table.rowCount() == len(report["summary"])
    psnr = report["summary"]["psnr"]
    assert table.item(0, 1).text() == f"{psnr['value']:.2f}\n[{psnr['low']:.2f}, {psnr['high']:.2f}]"
    assert "2 patients or slides are few" in widget.notices.text() and widget.notices.isVisibleTo(widget)

    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(Path(url.toLocalFile())))
    widget.page.click()
    assert opened == [out / "report.html"] and opened[0].is_file()

    widget.worst.click()
    driver.until(lambda: driver.state.is_idle)
    worst = report["cases"][0]
    he, truth, found, error = driver.viewer.layers
    assert [layer.name for layer in (he, truth)] == [f"{worst['case']}: H&E", f"{worst['case']}: virtual CD3, truth"]
    np.testing.assert_array_equal(truth.data, np.asarray(Image.open(cases / "ihc" / f"{worst['case']}.png")))
    assert np.mean((truth.data.astype(float) - found.data) ** 2) == pytest.approx(worst["figures"]["mse"])
    np.testing.assert_allclose(error.data, np.abs(truth.data.astype(float) - found.data).mean(axis=2), rtol=1e-5)
    assert driver.viewer.window._qt_window.height() <= 800


def test_the_menu_has_it_and_closing_it_leaves_no_listener(make_napari_viewer: Callable[..., Any], qtbot: Any):
    viewer = make_napari_viewer()
    area, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Evaluate")
    assert isinstance(dock, EvaluateDock)
    child = dock.session.compute.child
    viewer.window.remove_dock_widget(area)
    qtbot.waitUntil(lambda: child.is_closed, timeout=MILLISECONDS)
    viewer.add_image(np.zeros((8, 8)))  # of which the dock that is gone need not hear
