"""A threshold moved in the dock: counted anew without a run, drawn, and looked at one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from stain_result import PORTS, SAMPLED, write_stain
from stained_slide import show

from diffuscope.measurement.cells import Cells
from diffuscope.measurement.measurements import measure
from diffuscope.plugin.layers.objects.threshold import threshold_set
from diffuscope.plugin.panels.numbers.counting import MOST, find
from diffuscope.plugin.panels.numbers.positives import PositivesPanel
from diffuscope.plugin.panels.numbers.rows import results_in, rows_of
from diffuscope.results.result import Result

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return write_stain(tmp_path_factory.mktemp("positives"), ports=(*PORTS, SAMPLED))


def test_the_threshold_recounts_draws_and_leads_from_object_to_object(
    make_napari_viewer: Any, qtbot: Any, result: Result, tmp_path: Path
):
    viewer = make_napari_viewer()
    stain, *_ = show(viewer, result.path)
    panel = PositivesPanel(viewer)
    viewer.window.add_dock_widget(panel, name="panel")
    panel.show_result(result)

    def counted_at(od: float) -> Any:
        qtbot.waitUntil(lambda: panel.counted is not None and panel.counted.threshold == od, timeout=MILLISECONDS)
        return panel.counted

    own = counted_at(0.25)
    [row] = measure(result)
    assert own.objects == row["positive_objects"]
    assert own.percent == pytest.approx(row["dab_positive_percent"], rel=1e-4)
    per_mm2 = row["positive_objects"] / row["tissue_area_mm2"]
    assert panel.numbers.text().startswith(f"{row['positive_objects']:,} objects · {per_mm2:,.0f} per mm² · ")
    fewest, most = row["positive_objects_low"], row["positive_objects_high"]
    assert own.alone == (3, fewest, most) and fewest < most
    assert f"each of 3 samples alone: {fewest:,} to {most:,} objects" in panel.numbers.text()
    assert "as the result was measured" in panel.threshold.text()

    panel.outlined.setChecked(True)
    layer = viewer.layers["counted as CD3-positive"]
    before = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    panel.slider.setValue(40)
    higher = counted_at(0.4)
    assert higher.objects != own.objects
    [again] = measure(replace(result, record={**result.record, "parameters": {"dab_threshold": 0.4}}))
    assert higher.objects == again["positive_objects"]
    assert higher.percent == pytest.approx(again["dab_positive_percent"], rel=1e-5)
    assert higher.alone == (3, again["positive_objects_low"], again["positive_objects_high"]) != own.alone
    assert "the result: 0.25 OD" in panel.threshold.text()
    after = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    assert 0 < after.sum() < before.sum()
    assert measure(result) == [row]  # on disk nothing changed

    dab = np.asarray(result.images["dab"][0])[..., 0]
    places = find(result, "CD3", 0.4)
    assert len(places) == min(higher.objects, MOST)
    for number, place in enumerate(places[:3], start=1):
        panel.next.click()  # the first time they are looked for
        qtbot.waitUntil(lambda n=number: panel.numbers.text().endswith(f"at object {n}"), timeout=MILLISECONDS)
        np.testing.assert_allclose(viewer.camera.center[-2:], stain.data_to_world(place))
        assert dab[tuple(round(one) for one in place)] > 0.4
    panel.outlined.setChecked(False)
    assert layer not in viewer.layers

    # of cells that somebody outlined, as many as are drawn round objects above 0.4 OD, and one where there is no DAB
    assert "not known" in panel.cells.told.text()
    y, x = (int(one) for one in np.argwhere((dab == 0) & result.tissue.read(0, 0, *dab.shape))[0])
    boxes = [shapely.box(x, y, x + 1, y + 1)]
    for at in places[:3]:
        row, column = (round(one) for one in at)
        boxes.append(shapely.box(column, row, column + 1, row + 1))
    top, left = result.window[:2]
    on_slide = shapely.transform(boxes, lambda corners: (corners + np.array([left, top])) * result.factor)
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(one), "properties": {"objectType": "cell"}}
        for one in on_slide
    ]
    (tmp_path / "cells.geojson").write_text(json.dumps(features))
    panel.cells.measure(tmp_path / "cells.geojson")
    qtbot.waitUntil(lambda: "75.0 %" in panel.cells.told.text(), timeout=MILLISECONDS)
    assert "of 4 cells positive" in panel.cells.told.text()
    # taken home with the other numbers, above the threshold that is set
    [taken] = rows_of(results_in(viewer))
    assert (taken["cells"], taken["positive_cells"], taken["positive_cells_percent"]) == ("4", "3", "75.0")
    density = 3 / float(taken["tissue_area_mm2"])
    assert float(taken["positive_cells_per_mm2"]) == pytest.approx(density, rel=1e-3)
    panel.slider.setValue(150)
    counted_at(1.5)
    assert "0.0 %" in panel.cells.told.text()


@pytest.mark.parametrize("own", [2.0, 0.004, 0.0])
def test_a_threshold_beyond_those_that_people_choose_stays_that_of_its_result(
    make_napari_viewer: Any, qtbot: Any, result: Result, own: float
):
    """Merely shown, it was put between 0.01 and 1.5 OD, and all that left the window was of that."""
    viewer = make_napari_viewer()
    show(viewer, result.path)
    panel = PositivesPanel(viewer)
    qtbot.addWidget(panel)
    path = str(result.path)
    panel.show_result(replace(result, record={**result.record, "parameters": {"dab_threshold": own}}))
    assert panel.od == own and threshold_set(viewer, path) is None
    assert "as the result was measured" in panel.threshold.text()
    panel.slider.setValue(40)
    assert panel.od == threshold_set(viewer, path) == 0.4
    panel.slider.setValue(round(own * 100))
    assert panel.od == own and threshold_set(viewer, path) is None
    panel.show_result(result)  # whose own is 0.25 OD
    assert (panel.od, panel.slider.minimum(), panel.slider.maximum()) == (0.25, 1, 150)


def test_what_is_small_is_told_as_in_the_table_and_not_as_nothing(
    make_napari_viewer: Any, qtbot: Any, result: Result, monkeypatch: pytest.MonkeyPatch
):
    """3 objects in 12.5 mm² are 0.24 per mm²; of 3000 cells one is 0.033 %; a threshold of 0.0125 OD is not 0.01."""
    viewer = make_napari_viewer()
    show(viewer, result.path)
    panel = PositivesPanel(viewer)
    qtbot.addWidget(panel)
    rare = {"tissue_area_mm2": "12.5", "positive_objects": "3", "dab_positive_percent": "0.004"}
    table = [{**row, **rare, "threshold_od": "0.0125"} for row in result.table]
    record = {**result.record, "parameters": {"dab_threshold": 0.0125}}
    panel.show_result(replace(result, table=table, record=record))
    assert panel.numbers.text().startswith("3 objects · 0.24 per mm² · 0.0040 % of the tissue&#x27;s area")
    assert panel.threshold.text().startswith("Positive above <b>0.0125 OD</b>")
    means = np.full(3000, 0.001)
    means[0] = 0.4
    panel.cells._show(Cells(dab=means, each=np.empty((0, 3000)), outside=0))
    assert panel.cells.told.text() == "<b>0.033 %</b> of 3,000 cells positive · 0.080 per mm²"


def test_what_cannot_be_counted_has_no_panel(make_napari_viewer: Any, result: Result, qtbot: Any):
    viewer = make_napari_viewer()
    panel = PositivesPanel(viewer)
    qtbot.addWidget(panel)
    for other in (None, replace(result, tissue=None), replace(result, complete=False), replace(result, ports=())):
        panel.show_result(other)
        assert not panel.isVisibleTo(panel.parentWidget() or panel)
