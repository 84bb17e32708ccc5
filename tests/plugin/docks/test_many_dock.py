"""The dock "Many slides" in a real viewer: a folder with a bad slide, cancelled, gone on with, and opened."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tifffile
from patience import MILLISECONDS

from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices

from diffuscope.plugin.docks.many import ManyDock
from diffuscope.plugin.jobs.child import Child

pytestmark = pytest.mark.gui
MODEL = "stain-cd3-demo"


@pytest.fixture
def dock(make_napari_viewer: Any, compute: Child, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr("diffuscope.plugin.jobs.compute.Child", lambda: compute)
    viewer = make_napari_viewer()
    viewer.window._qt_window.resize(1280, 800)
    _, made = viewer.window.add_plugin_dock_widget("diffuscope", "Many slides")
    assert isinstance(made, ManyDock)
    yield made
    viewer.close()


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    tissue = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    folder = tmp_path / "slides"
    folder.mkdir()
    for name, y in (("a", 900), ("b", 1000)):
        piece = tissue[y : y + 128, 900:1028]
        tifffile.imwrite(folder / f"{name}.ome.tif", piece, photometric="rgb", metadata={"axes": "YXS", **size})
    (folder / "bad.svs").write_text("no slide")
    return folder


def rows(dock: Any) -> dict[str, tuple[str, str]]:
    table = dock.table
    return {
        table.item(number, 0).text(): (table.item(number, 1).text(), table.item(number, 2).text())
        for number in range(table.rowCount())
    }


@pytest.mark.slow
def test_a_folder_from_choice_to_opened_results(
    dock: Any, slides: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields, until = dock.fields, lambda true: qtbot.waitUntil(true, timeout=MILLISECONDS)
    fields.model.setCurrentIndex(fields.model.findData(MODEL))
    fields.quality.setCurrentIndex(fields.quality.findData("fast"))
    assert fields.quality.itemText(fields.quality.findData("mean")) == "Mean: 1 step"
    monkeypatch.setattr("diffuscope.plugin.docks.many.QFileDialog.getExistingDirectory", lambda *_: str(slides))
    fields.folder.click()
    out = slides.with_name(f"slides-{MODEL}")
    assert (fields.slides.text(), fields.out.text()) == (str(slides), str(out))

    # Cancelled once the first slide is done; the others wait, and Continue takes them.
    dock.jobs.run.click()
    until(lambda: rows(dock).get("a", ("",))[0] == "done" or dock.session.state.failed)
    assert not dock.session.state.failed, dock.session.state.message
    dock.jobs.cancel.click()
    until(lambda: dock.session.state.is_idle)
    assert dock.session.state.message == "Cancelled: what is done is kept, and Continue goes on with the others."
    assert rows(dock)["bad"][0] in {"waiting", "cancelled"}
    dock.jobs.go_on.click()
    until(lambda: rows(dock)["bad"][0] == "failed" and dock.session.state.is_idle)
    assert dock.session.state.message.startswith("2 of 3 slides are done, 1 could not be run over")
    assert [status for status, _ in rows(dock).values()] == ["done", "done", "failed"]
    assert dock.hint.text() == f"{out.name}. Double-click a slide to open its result."
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        b = next(row for row in csv.DictReader(file) if row["slide"] == "b")
    # under their names, with the digits that people read
    assert rows(dock)["b"][1].startswith(
        f"Tissue area (mm²) {float(b['tissue_area_mm2']):.2g} · DAB-positive area (%) "
    )
    assert f"Mean DAB in tissue (OD) {float(b['mean_dab_od']):.3f} ·" in rows(dock)["b"][1]
    assert "bad.svs" in rows(dock)["bad"][1]
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "done", "failed"]

    dock.table.cellDoubleClicked.emit(1, 0)
    assert any("CD3" in layer.name for layer in dock.viewer.layers)
    count = len(dock.viewer.layers)
    dock.table.cellDoubleClicked.emit(2, 0)
    assert len(dock.viewer.layers) == count and "no result of this slide" in dock.session.state.message
    asked: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: asked.append(QUrl.toLocalFile(url)))
    dock.page.click()
    dock.show_folder.click()
    assert [Path(one) for one in asked] == [out / "summary.html", out]


def test_what_is_missing_is_said(dock: Any, slides: Path) -> None:
    def said() -> str:
        dock.jobs.run.click()
        assert dock.session.state.is_idle
        return str(dock.session.state.message)

    assert dock.fields.model.currentData().startswith("stain-")
    assert said() == "Choose the slides: a folder, a table or a QuPath project."
    dock.fields.slides.setText(str(slides))
    # beside them, until the user chooses another place
    assert dock.fields.out.text().startswith(str(slides))
    dock.fields.slides.setText(f"{slides}2")
    assert dock.fields.out.text().startswith(f"{slides}2-")
    assert dock.fields.arguments()["assumed_mpp"] is None
    for typed in ("/", "..", ".", "/a/.."):  # on the way to a path nothing is suggested beside it
        dock.fields.slides.setText(typed)
        assert dock.fields.out.text().startswith(f"{slides}2-")
    dock.fields.slides.setText(f"{slides}2")
    dock.fields.mpp.setValue(0.25)
    assert dock.fields.arguments()["assumed_mpp"] == 0.25
    dock.fields.out.setText("")
    assert said() == "Say which folder the results are to be written to."
    assert not dock.found.isVisibleTo(dock)


@pytest.mark.slow
def test_nothing_there_is_a_sentence(dock: Any, tmp_path: Path, qtbot: Any) -> None:
    dock.fields.slides.setText(str(tmp_path / "nowhere"))
    dock.jobs.run.click()
    qtbot.waitUntil(lambda: dock.session.state.failed, timeout=MILLISECONDS)
    assert "there is no slide and no volume in" in dock.session.state.message
    dock.fields.slides.setText(str(tmp_path))  # it goes with what it was about
    assert not dock.session.state.failed and dock.session.state.message == ""


def test_beginning_all_again_is_said_of_one_run(dock: Any, slides: Path, tmp_path: Path, monkeypatch: Any) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(dock, "_job", asked.append)
    monkeypatch.setattr(dock.session, "submit", lambda _job: None)
    dock.fields.slides.setText(str(slides))
    dock.fields.out.setText(str(tmp_path / "out"))
    dock.fields.again.setChecked(True)
    dock.jobs.run.click()
    dock.jobs.run.click()
    assert [one["overwrite"] for one in asked] == [True, False]
