"""The numbers of all results of a viewer in one table: read, copied, written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QApplication
from stain_result import RECORD, write_stain
from stained_slide import show

from diffuscope.measurement.measurements import measure
from diffuscope.plugin.layers.views.naming import rename
from diffuscope.plugin.panels.numbers.dialog import NumbersDialog
from diffuscope.plugin.panels.numbers.rows import results_in, rows_of

pytestmark = pytest.mark.gui


def test_the_numbers_of_all_results_are_one_table(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    results = []
    for name, threshold in (("one", 0.25), ("two", 0.4)):
        (tmp_path / name).mkdir()
        chosen = {**RECORD["parameters"], "dab_threshold": threshold}
        drawn = {"drawn": {"name": "hot spot", "class": "Tumor"}} if name == "two" else {}
        results.append(write_stain(tmp_path / name, record={**RECORD, **drawn, "parameters": chosen}))
    viewer = make_napari_viewer()
    assert rows_of(results_in(viewer)) == []
    for result in results:
        show(viewer, result.path)
    rename(viewer, str(results[1].path), "strict")
    rows = rows_of(results_in(viewer))
    measured = [measure(result)[0] for result in results]
    assert [row["result"] for row in rows] == ["r", "strict"]
    for row, one in zip(rows, measured, strict=True):
        assert int(row["positive_objects"]) == one["positive_objects"]
        density = one["positive_objects"] / one["tissue_area_mm2"]
        assert float(row["positive_per_mm2"]) == pytest.approx(density, rel=1e-4)
    assert rows[0]["positive_objects"] != rows[1]["positive_objects"]
    assert [(row["region_name"], row["region_class"]) for row in rows] == [("", ""), ("hot spot", "Tumor")]

    # also where the first result has no name
    assert list(rows[0])[:4] == ["result", "region_name", "region_class", "region"]

    dialog = NumbersDialog(rows, tmp_path)
    qtbot.addWidget(dialog)
    assert "not for diagnosis" in dialog.note.text()
    dialog.copy.click()
    header, *lines = [line.split("\t") for line in QApplication.clipboard().text().split("\n")]
    at = header.index("Positive objects per mm²")
    shown = [dialog.table.item(number, at).text() for number in range(2)]
    assert [line[header.index("Class")] for line in lines] == ["", "Tumor"]
    # as the file has it, where what is shown is rounded
    assert header[0] == "Result" and lines == [list(row.values()) for row in rows]
    assert shown[0] == f"{measured[0]['positive_objects'] / measured[0]['tissue_area_mm2']:,.0f}"

    monkeypatch.setattr("diffuscope.plugin.panels.numbers.dialog.ask_csv", lambda *_: str(tmp_path / "mine.csv"))
    dialog.csv.click()
    with (tmp_path / "mine.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == rows
    assert dialog.note.text() == "Wrote mine.csv."


def test_a_result_that_is_gone_has_no_numbers(make_napari_viewer: Any, qtbot: Any, tmp_path: Path):
    result = write_stain(tmp_path)
    viewer = make_napari_viewer()
    show(viewer, result.path)
    result.path.rename(tmp_path / "elsewhere.ome.zarr")
    assert rows_of(results_in(viewer)) == []
    dialog = NumbersDialog([], tmp_path)
    qtbot.addWidget(dialog)
    assert not dialog.copy.isEnabled() and "No result" in dialog.note.text()
