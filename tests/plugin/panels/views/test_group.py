"""All layers of a result renamed, closed and shown among the files together; those of two results told apart."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QInputDialog
from stained_slide import show, write_both

from diffuscope.plugin.layers.reading.viewer import reading_of
from diffuscope.plugin.layers.views.naming import label_of
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


def test_layers_of_a_second_result_bear_its_name_and_no_number(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    show(viewer, files[1].path)
    again = show(viewer, files[1].path)
    assert names(again) == ["virtual CD3 · r", "DAB (OD) · r", "uncertainty (OD) · r"]
    [first] = show(viewer, files[0])
    [second] = show(viewer, files[0])
    assert second.name == f"{first.name} [1]"  # what is no result of ours is napari's
