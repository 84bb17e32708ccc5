"""The threshold that is set in the dock: what is seen with it is what goes out of the window, which says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from stain_result import write_stain

from diffuscope.measurement.measurements import measure
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.layers.placement import world_units
from diffuscope.plugin.layers.reading.hover import told_at
from diffuscope.plugin.panels.numbers.dialog import NumbersDialog

pytestmark = pytest.mark.gui


def objects_of(table: Any) -> str:
    rows = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}
    return rows["Positive objects"]


def test_what_is_set_is_what_is_exported(make_napari_viewer: Any, qtbot: Any, compute: Any, tmp_path: Path):
    result = write_stain(tmp_path)
    [own], [higher] = measure(result), measure(result, threshold=0.4)
    viewer = make_napari_viewer()
    dock = StainDock(viewer, compute)
    viewer.window.add_dock_widget(dock, name="dock")
    _, dab, _ = viewer.open(str(result.path), plugin="diffuscope")
    viewer.layers.selection.active = dab
    positives = dock.positives
    assert objects_of(dock.results.table) == f"{own['positive_objects']:,}"

    positives.slider.setValue(40)
    qtbot.waitUntil(lambda: positives.counted is not None and positives.counted.threshold == 0.4, timeout=MILLISECONDS)
    assert objects_of(dock.results.table) == f"{higher['positive_objects']:,}" != f"{own['positive_objects']:,}"
    # under the cursor, between both thresholds
    y, x = next(zip(*((dab.data[0][:] > 0.3) & (dab.data[0][:] < 0.35)).nonzero(), strict=True))
    assert "· negative" in told_at([dab], dab.data_to_world((y, x)), world_units(viewer))
    dab.visible = True
    qtbot.waitUntil(lambda: "above 0.4 OD" in dock.compare.legend.text(), timeout=MILLISECONDS)

    dock.results.export_asked.emit(str(tmp_path / "out.qupath"), "all")
    qtbot.waitUntil(lambda: dock.session.state.is_idle, timeout=MILLISECONDS)
    assert dock.session.state.message.endswith(
        "Positive is DAB above 0.4 OD, as was chosen; the result itself was measured at 0.25 OD."
    )
    features = json.loads((tmp_path / "out.qupath" / "objects.geojson").read_text())["features"]
    assert len(features) == 1 + higher["positive_objects"]
    dock.results.export_asked.emit(str(tmp_path / "out.ome.tif"), "all")  # which holds nothing that is counted
    qtbot.waitUntil(lambda: (tmp_path / "out.ome.tif").exists() and dock.session.state.is_idle, timeout=MILLISECONDS)
    assert "Positive" not in dock.session.state.message

    viewer.layers.selection = {layer for layer in viewer.layers if layer.metadata}
    viewer.layers.save(str(tmp_path / "saved.qupath"), selected=True)
    saved = json.loads((tmp_path / "saved.qupath" / "objects.geojson").read_text())["features"]
    assert len(saved) == len(features)

    positives.all.click()
    qtbot.waitUntil(lambda: bool(positives.window().findChildren(NumbersDialog)), timeout=MILLISECONDS)
    [dialog] = positives.window().findChildren(NumbersDialog)
    names = [dialog.table.horizontalHeaderItem(at).text() for at in range(dialog.table.columnCount())]
    told = dict(zip(names, (dialog.table.item(0, at).text() for at in range(len(names))), strict=True))
    assert (told["Positive objects"], told["Threshold (OD)"]) == (f"{higher['positive_objects']:,}", "0.400")
    dialog.close()

    # it stays set while another result is looked at, and goes back to the result's own
    dock.session.show_result(None)
    dock.session.show_result(result)
    assert positives.slider.value() == 40
    positives.slider.setValue(25)
    assert "as the result was measured" in positives.threshold.text()
    assert "· positive" in told_at([dab], dab.data_to_world((y, x)), world_units(viewer))
