"""The dock for whatever has none of its own: fields, run, score and export of a toy by its declaration alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import toys
from model_card import CARD
from patience import MILLISECONDS

from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.docks.kinds import OTHERS, STAINING
from diffuscope.plugin.docks.others import OtherModelsDock
from diffuscope.plugin.jobs.child import Child

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(make_napari_viewer: Any, compute: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The dock, beside the folders of all toys."""
    for name, row in toys.ROWS.items():
        monkeypatch.setitem(registry._ROWS, name, row)
        save_model(tmp_path / name, build_system(name, {}), name, {}, CARD)
    viewer = make_napari_viewer()
    made = OtherModelsDock(viewer, compute)
    viewer.window.add_dock_widget(made, name=OTHERS.title, area="right")
    yield made
    viewer.close()


def choose(dock: OtherModelsDock, folder: Path) -> None:
    dock.fields.folder_asked.emit(str(folder))


def finish(dock: OtherModelsDock, qtbot: Any, out: Path) -> None:
    dock.form.out = str(out)
    assert dock.run.isEnabled() and not dock.form.problem(), dock.form.problem()
    dock.run.click()
    qtbot.waitUntil(lambda: dock.session.result is not None or dock.session.state.failed, timeout=MILLISECONDS)
    assert not dock.session.state.failed, dock.session.state.message
    qtbot.waitUntil(lambda: dock.session.state.is_idle, timeout=MILLISECONDS)


def test_a_toy_gets_fields_for_its_table_and_its_score_is_shown(dock: Any, qtbot: Any, tmp_path: Path):
    pixels = np.broadcast_to(np.uint8([180, 100, 160]), (64, 64, 3)).copy()
    dock.viewer.add_image(pixels, rgb=True, name="field", scale=(0.5, 0.5), units=("micrometer", "micrometer"))
    choose(dock, tmp_path / "negative")
    assert dock.form.model is not None and dock.form.model.task == "photography"
    age, sex = dock.fields.given.fields["patient.age"], dock.fields.given.fields["patient.sex"]
    qtbot.keyClicks(age, "300")
    assert "lies between 0 and 120" in dock.form.problem()
    age.clear()
    qtbot.keyClicks(age, "60")
    sex.setCurrentIndex(1)
    sex.activated.emit(1)
    dock.form.region = "view"
    finish(dock, qtbot, tmp_path / "out.ome.zarr")
    result = open_result(tmp_path / "out.ome.zarr")
    assert result.record["inputs"]["patient"] == {"row": {"age": 60.0, "sex": "f"}}
    assert result.scores["light"].summary in dock.results.heading.text().replace("<b>", "").replace("</b>", "")
    shown = [layer for layer in dock.viewer.layers if layer.name.startswith("negative")]
    made = np.asarray(shown[0].data[0] if shown[0].multiscale else shown[0].data)
    np.testing.assert_array_equal(made[..., :3], 255 - pixels)
    target = tmp_path / "out.ome.tif"
    dock.results.export_asked.emit(str(target), "all")
    qtbot.waitUntil(target.exists, timeout=MILLISECONDS)
    np.testing.assert_array_equal(tifffile.imread(target), 255 - pixels)
    dock.results.anonymous.setChecked(True)
    dock.results.export_asked.emit(str(tmp_path / "anonymous.ome.tif"), "all")
    qtbot.waitUntil((tmp_path / "anonymous.ome.tif").exists, timeout=MILLISECONDS)
    held = [(tmp_path / name).read_bytes() for name in ("out.ome.tif", "anonymous.ome.tif")]
    assert [b"field" in one for one in held] == [True, False]


@pytest.mark.slow
def test_a_whole_toy_takes_a_text_and_no_layer(dock: Any, qtbot: Any, tmp_path: Path):
    choose(dock, tmp_path / "mood")
    assert dock.form.problem() == "Fill in report."
    assert not dock.fields.slide.isVisibleTo(dock.fields) and not dock.fields.region.isVisibleTo(dock.fields)
    qtbot.keyClicks(dock.fields.given.fields["report"], "a good day")
    # as many samples as the quality says
    finish(dock, qtbot, tmp_path / "case.ome.zarr")
    result = open_result(tmp_path / "case.ome.zarr")
    assert result.scores["mood"].decision == "glad" and len(result.scores["mood"].samples) == 3
    assert "glad" in dock.results.heading.text() and dock.results.layer.currentText() == "Report"
    dock.results.export_asked.emit(str(tmp_path / "case.html"), "all")
    qtbot.waitUntil((tmp_path / "case.html").exists, timeout=MILLISECONDS)
    assert "glad" in (tmp_path / "case.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_outlines_on_a_picture_go_into_a_model_that_takes_them(dock: Any, qtbot: Any, tmp_path: Path):
    place = {"scale": (0.5, 0.5), "units": ("micrometer", "micrometer")}
    dock.viewer.add_image(np.full((64, 80, 3), 200, np.uint8), rgb=True, name="field", **place)
    choose(dock, tmp_path / "share")
    assert "Nothing is outlined on “field”" in dock.form.problem()
    wrong = dock.viewer.add_labels(np.ones((64, 64), np.uint8), name="tumour", **place)
    assert "“tumour” (64 x 64 voxels of" in dock.form.problem()
    dock.viewer.layers.remove(wrong)
    dock.viewer.add_shapes(np.array([[9.5, 9.5], [29.5, 49.5]]) * 1.0, name="tumour", **place)
    labels = np.zeros((64, 80), np.uint8)
    labels[40:, :] = 2
    dock.viewer.add_labels(labels, name="vessel", **place)
    finish(dock, qtbot, tmp_path / "share.ome.zarr")
    result = open_result(tmp_path / "share.ome.zarr")
    assert result.scores["share"].mean == pytest.approx(20 * 40 / (64 * 80))
    assert result.record["inputs"]["outlines"]["name"] == "tumour and vessel"


def test_it_lists_what_no_other_dock_lists(dock: Any, tmp_path: Path):
    assert dock.form.model is None
    choose(dock, tmp_path / "negative")
    assert OTHERS.lists(dock.form.model) and not STAINING.lists(dock.form.model)
