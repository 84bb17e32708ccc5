"""All layers of a result renamed, closed and shown among the files together; those of two results told apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QInputDialog
from stained_slide import show, write_both

from diffuscope.plugin.layers.reading.viewer import reading_of
from diffuscope.plugin.layers.views.naming import label_of, rename
from diffuscope.plugin.panels.numbers.rows import results_in
from diffuscope.plugin.panels.views.group import GroupRow
from diffuscope.plugin.panels.views.stage import stage_of

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return write_both(tmp_path_factory.mktemp("group"))


def names(layers: list[Any]) -> list[str]:
    return [layer.name for layer in layers]


def test_a_result_is_renamed_closed_and_shown_as_one(
    make_napari_viewer: Any, files: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
):
    viewer = make_napari_viewer()
    reading_of(viewer)
    [he] = show(viewer, files[0])
    made = show(viewer, files[1].path)
    row = GroupRow(viewer, stage_of(viewer))
    qtbot.addWidget(row)
    for asked, expected in (
        (" first try ", ["virtual CD3 · first try", "DAB (OD) · first try", "uncertainty (OD) · first try"]),
        ("2", ["virtual CD3 · 2", "DAB (OD) · 2", "uncertainty (OD) · 2"]),
        ("", ["virtual CD3", "DAB (OD)", "uncertainty (OD)"]),
    ):
        monkeypatch.setattr(QInputDialog, "getText", lambda *_, asked=asked, **__: (asked, True))
        row.buttons["Rename…"].click()
        assert names(made) == expected and label_of(viewer, str(files[1].path)) == asked.strip()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("no", False))
    row.buttons["Rename…"].click()
    assert names(made) == expected

    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    row.buttons["Folder"].click()
    assert opened == [str(files[1].path.parent)]

    row.buttons["Hide"].click()
    assert not any(layer.visible for layer in made)
    row.buttons["Close"].click()
    assert list(viewer.layers) == [he] and files[1].path.exists()


def test_results_that_show_the_same_are_named_in_one_form(make_napari_viewer: Any, files: Any, tmp_path: Path):
    viewer = make_napari_viewer()
    reading_of(viewer)
    made: list[list[Any]] = []
    expected = ["region-1"], ["region-1", "region-2"], ["region-1", "region-2", "region-3"]
    for number, labels in enumerate(expected, start=1):
        folder = tmp_path / f"case7.stain.region-{number}.ome.zarr"
        shutil.copytree(files[1].path, folder)
        made.append(show(viewer, folder))
        shown = ["" for _ in labels] if number == 1 else [f" · {label}" for label in labels]
        assert [names(layers) for layers in made] == [
            [f"{one}{mark}" for one in ("virtual CD3", "DAB (OD)", "uncertainty (OD)")] for mark in shown
        ]
    assert [one.name for one in results_in(viewer)] == [f"case7.stain.region-{number}" for number in (1, 2, 3)]
    rename(viewer, str(tmp_path / "case7.stain.region-2.ome.zarr"), "mine")
    shutil.copytree(files[1].path, tmp_path / "case8.stain.region-1.ome.zarr")
    made.append(show(viewer, tmp_path / "case8.stain.region-1.ome.zarr"))  # another slide
    assert [layers[0].name.partition(" · ")[2] for layers in made] == [
        "case7.stain.region-1", "mine", "case7.stain.region-3", "case8.stain.region-1",
    ]  # fmt: skip
    assert [one.name for one in results_in(viewer)][1] == "mine"


def test_layers_of_a_second_result_bear_its_name_and_no_number(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    show(viewer, files[1].path)
    again = show(viewer, files[1].path)  # of the same one
    assert names(again) == ["virtual CD3 · r", "DAB (OD) · r", "uncertainty (OD) · r"]
    [first] = show(viewer, files[0])
    [second] = show(viewer, files[0])
    assert second.name == f"{first.name} [1]"  # what is no result of ours is napari's
