"""The dock's own part of a result, in a real viewer: γ, the plot, regions, colours."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from nano_result import write_nano
from nano_verbs import MODEL

from diffuscope.measurement.penetration import find_vessels, measure_penetration
from diffuscope.plugin.docks.nanoparticle import NanoparticleDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.panels.numbers.rows import results_in, rows_of
from diffuscope.results.result import open_result

pytestmark = pytest.mark.gui


@pytest.mark.slow
def test_gamma_the_plot_and_the_region_table(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: Child
):
    from nano_result import vessels

    slide, result = write_nano(tmp_path)
    viewer = make_napari_viewer()
    viewer.window._qt_window.resize(1280, 1000)
    dock = NanoparticleDock(viewer, compute)
    viewer.window.add_dock_widget(dock, name="Nanoparticle distribution", area="right")
    state = dock.session.state
    dock.fields.add_model(MODEL, choose=True)
    for path in (slide, result.path):
        for data, about, _ in read_layers(str(path)):
            viewer.add_image(data, **about)
    colours = {own_metadata(one).get("channel_name"): one.colormap.name for one in dock.inputs.layers}
    assert colours == {"CD31": "magenta", "DAPI": "blue"}
    dock.inputs.choices[0].colormap = "gray"  # a choice of the user's, which stays
    dock._inputs_changed()
    assert dock.inputs.choices[0].colormap.name == "gray"

    dock.session.show_result(result)
    told = dock.particles
    assert told.isVisibleTo(dock) and told.slider.value() == 450 and "as this run did" in told.effect.text()
    told.slider.setValue(470)
    [overlay] = [one for one in viewer.layers if own_metadata(one).get("value") == "changes"]
    np.testing.assert_array_equal(overlay.data, told.decisions.share_changed(0.47))
    assert "0.470" in overlay.name and "needs a new Run" in told.effect.text()
    told.use.click()
    assert dock.form.options == {"gamma": 0.47} and dock.fields.options.fields["gamma"].value() == 0.47

    heat = next(one for one in viewer.layers if own_metadata(one).get("value") == "divergence")
    viewer.cursor.position = tuple(heat.data_to_world((2, 3)))
    assert told.plot.slot == (2, 3)

    dock._draw()
    shapes = viewer.layers.selection.active
    shapes.add_rectangles(np.array([[19.5, 29.5], [99.5, 149.5]]))
    shapes.add_rectangles(np.array([[119.5, 9.5], [199.5, 109.5]]))
    shapes.mode = "pan_zoom"
    dock.regions.measure.click()
    assert not dock.regions.measure.isEnabled()
    qtbot.waitUntil(lambda: state.is_idle, timeout=MILLISECONDS)
    assert state.message == "Measured 2 regions.", state.message
    masks = {name: np.zeros(vessels().shape, np.bool_) for name in ("region 1", "region 2")}
    masks["region 1"][20:100, 30:150] = masks["region 2"][120:200, 10:110] = True
    expected = measure_penetration(np.full(vessels().shape, 7.0), find_vessels(vessels(), mpp=1.0), masks, mpp=1.0)
    for row, truth in zip(dock.regions.rows, expected, strict=True):
        for key, value in truth.items():
            assert row[key] == (value if value is None or key == "region" else pytest.approx(value)), key
    dock.regions.above.setValue(40.0)
    dock.regions.measure.click()
    qtbot.waitUntil(lambda: state.is_idle, timeout=MILLISECONDS)
    assert [row["vessel_threshold"] for row in dock.regions.rows] == [40.0, 40.0]
    monkeypatch.setattr("diffuscope.plugin.panels.regions.ask_csv", lambda *_: str(tmp_path / "rows.csv"))
    dock.regions.export.click()
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert [row["region"] for row in csv.DictReader(file)] == ["region 1", "region 2"]

    shapes.add_rectangles(np.array([[199.5, 199.5], [299.5, 249.5]]))
    shapes.mode = "pan_zoom"
    dock.regions.measure.click()
    qtbot.waitUntil(lambda: state.is_idle, timeout=MILLISECONDS)
    assert state.message == (
        "Measured 3 regions. “region 3” reaches beyond what nano.ome.zarr computed: only what lies inside is measured."
    )
    shapes.add_rectangles(np.array([[299.5, 299.5], [309.5, 309.5]]))
    shapes.mode = "pan_zoom"
    dock.regions.measure.click()
    assert state.is_idle and state.message.startswith(
        "nothing of “region 4” was computed: nano.ome.zarr has x 0 to 256"
    )

    # what was measured stays with the result: in its reports, among all numbers, and when it is shown again
    dock.session.show_result(open_result(result.path))
    assert [row["region"] for row in dock.regions.rows] == ["region 1", "region 2", "region 3"]
    assert [row["region"] for row in rows_of(results_in(viewer))] == ["region 1", "region 2", "region 3"]

    dock.session.show_result(None)
    assert overlay not in viewer.layers and not told.isVisibleTo(dock)
    viewer.close()


def test_what_is_missing_of_the_input_comes_before_what_is_missing_of_the_region(
    make_napari_viewer: Any, tmp_path: Path
):
    viewer = make_napari_viewer()
    dock = NanoparticleDock(viewer, Child("nano_verbs"))
    viewer.window.add_dock_widget(dock, name="Nanoparticle distribution", area="right")
    dock.fields.add_model(MODEL, choose=True)
    dock.form.region = "shape"
    about = {"axes": "CYX", "Channel": {"Name": ["CD31", "Ch2"]}, "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}
    tifffile.imwrite(
        tmp_path / "half.ome.tif", np.zeros((2, 64, 64), np.uint8), metadata=about, photometric="minisblack"
    )
    dock.session.state.end("Wrote rows.csv.")
    for data, one, _ in read_layers(str(tmp_path / "half.ome.tif")):
        viewer.add_image(data, **one)
    assert dock.form.slide is not None and dock.fields.region_text.text() == ""
    assert dock.jobs.status.text() == "Choose a layer for nuclei."  # and not what came of the last job
    dock._run()
    assert dock.jobs.status.text() == "Choose a layer for nuclei." and dock.session.state.failed
    dock._choose_layer(1, [layer.name for layer in dock.inputs.layers].index("half.ome.tif · Ch2"))
    dock.form.out = str(tmp_path / "out.ome.zarr")
    assert "Nothing is drawn yet: press Draw…" in dock.fields.region_text.text()
    dock._run()
    assert dock.jobs.status.text().startswith("Nothing is drawn yet")
