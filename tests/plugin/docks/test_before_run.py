"""What a user is told before Run, and what Run then takes: in a real viewer, by runs that need no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import MILLISECONDS

from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from fake_models import MODELS
from qtpy.QtCore import Qt

from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.forms.forecast.rates import remember
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.results.result import open_result

pytestmark = [pytest.mark.gui, pytest.mark.slow]

# Of 200 × 160 px each, in µm of the sample slide.
FIRST = np.array([[1320, 800], [1480, 800], [1480, 1000], [1320, 1000]]) * 0.499
SECOND = FIRST + 200 * 0.499


class Driver:
    """What a user does at a viewer with the dock."""

    def __init__(self, viewer: Any, qtbot: Any, out: Path) -> None:
        self.viewer, self.qtbot, self.out = viewer, qtbot, out
        viewer.window._qt_window.resize(1280, 800)
        for data, about, _ in read_layers(str(sample_path("CMU-1-Small-Region.svs"))):
            self.slide = viewer.add_image(data, **about)
        self.child = Child("fake_verbs")
        self.dock = StainDock(viewer, self.child)
        viewer.window.add_dock_widget(self.dock, name="Virtual staining", area="right")
        self.state, self.form = self.dock.session.state, self.dock.form
        self.compute = self.dock.session.compute
        self.form.out = str(out)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=MILLISECONDS)

    def fake(self, name: str) -> None:
        self.form.model = next(model for model in MODELS if model.name == name)

    def draw(self, *outlines: Any) -> Any:
        self.dock.fields.draw.click()
        shapes = self.viewer.layers.selection.active
        for outline in outlines:
            shapes.add_rectangles(outline / shapes.scale)
        return shapes

    @property
    def said(self) -> str:
        return self.dock.jobs.status.text()


@pytest.fixture
def at(make_napari_viewer: Any, qtbot: Any, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(make_napari_viewer(), qtbot, tmp_path / "out.ome.zarr")
    yield driver
    driver.viewer.close()
    qtbot.waitUntil(lambda: driver.child.pid is None, timeout=MILLISECONDS)


def test_what_is_in_view_is_computed_unless_something_else_is_chosen(at: Driver):
    assert at.form.region == "view" and at.dock.fields.region.currentText() == "Current view"
    at.until(lambda: at.dock.forecast.found is not None)
    all_of_it = at.dock.forecast.found
    at.viewer.camera.zoom *= 8
    at.until(lambda: at.dock.forecast.found not in (None, all_of_it))
    near = at.dock.forecast.found
    assert 0 < near.tiles < all_of_it.tiles and near.area < all_of_it.area / 20
    assert "time known after the first tile" in at.dock.forecast.text.text()
    remember(at.form.model.name, "auto", evaluations=at.form.evaluations, seconds=100.0)
    at.dock.forecast.renew()
    assert "<b>about " in at.dock.forecast.text.text()
    at.viewer.camera.center = (0.0, -90_000.0, 0.0)
    at.until(lambda: "out of sight" in at.said)
    assert at.dock.forecast.isHidden()


def test_every_shape_is_run_each_with_its_name(at: Driver):
    shapes = at.draw(FIRST, SECOND)
    assert at.form.region == "shape"
    assert at.dock.fields.region_text.text() == "2 regions, a result each: region 1, region 2"
    shapes.features = {"name": ["tumour", "stroma / edge"]}
    at.fake("endless")
    at.dock.run.click()
    at.until(lambda: at.state.phase == "running")
    [waiting] = at.compute.queue.waiting
    assert at.compute.at_work.text == "CMU-1-Small-Region.svs · endless · tumour, 200 × 160 px"
    assert waiting.text == "CMU-1-Small-Region.svs · endless · stroma / edge, 200 × 160 px"
    names = [entry.job.out.name for entry in (at.compute.at_work, waiting)]
    assert names == ["out.tumour.ome.zarr", "out.stroma---edge.ome.zarr"]
    assert shapes.mode == "pan_zoom"  # the next drag moves the slide
    at.compute.queue.clear()
    at.dock.cancel.click()
    at.until(lambda: at.state.is_idle)
    assert not open_result(at.out.with_name(names[0])).complete


def test_a_shape_that_is_picked_is_run_alone_and_drawing_goes_on_in_its_layer(at: Driver):
    shapes = at.draw(FIRST, SECOND)
    shapes.mode = "select"
    shapes.selected_data = {1}
    assert at.dock.fields.region_text.text().startswith("Only region 2, which is selected: 200 × 160 px")
    assert at.draw() is shapes and len(at.viewer.layers) == 2


def test_what_is_wrong_with_a_region_is_told_before_run_and_goes_when_it_is_mended(at: Driver):
    shapes = at.draw(FIRST - 9000)
    assert "lies off “CMU-1-Small-Region.svs”" in at.said and not at.state.failed
    at.dock.run.click()
    assert at.state.failed and "lies off" in at.said
    shapes.data = [FIRST / shapes.scale]
    assert not at.state.failed and at.said == ""
    shapes.data = [(FIRST[0] + (FIRST - FIRST[0]) / 20) / shapes.scale]
    assert "too small to tell much" in at.dock.fields.region_text.text() and at.said == ""
    # Glass: at the right of the upper edge.
    shapes.data = [np.array([[20, 1900], [120, 1900], [120, 2100], [20, 2100]]) * 0.499 / shapes.scale]
    at.until(lambda: at.dock.forecast.found is not None and bool(at.dock.forecast.found.bare))
    assert "No tissue found there" in at.dock.forecast.text.text()


def test_one_tile_is_looked_at_where_one_looks_and_nothing_is_left(at: Driver, tmp_path: Path, monkeypatch: Any):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    at.form.model = replace(next(model for model in MODELS if model.name == "quick"), grid=(288, 32, 1, 0))
    at.viewer.camera.center = (0.0, *(FIRST.mean(axis=0)))
    at.qtbot.mouseClick(at.dock.preview, Qt.MouseButton.LeftButton)
    at.until(lambda: at.state.is_idle and len(at.viewer.layers) == 2)
    shown = at.viewer.layers[1]
    assert shown.name == "preview, not saved · virtual" and shown.data.shape[2] == 4
    assert at.state.message.startswith("A preview of one tile, which is not saved.") and not at.state.failed
    assert not list(scratch.iterdir()) and not at.out.exists()
    assert at.form.slide.name == at.slide.name  # it is nobody's input
    at.dock.preview.click()
    at.until(lambda: at.state.is_idle and at.viewer.layers[-1] is not shown)
    assert len(at.viewer.layers) == 2 and at.dock.session.result is None
    at.viewer.camera.center = (0.0, -90_000.0, 0.0)
    at.dock.preview.click()
    assert at.state.failed and "The middle of the view is off" in at.said
