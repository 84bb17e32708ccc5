"""The welcome opens docks, and the results that were made last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QDockWidget, QPushButton

import diffuscope.errors
from diffuscope.plugin.docks.register import RegisterDock
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.docks.welcome import DOCKS
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.settings.recent import note


def test_it_names_every_dock_but_itself_and_that_for_what_nobody_knows():
    manifest = yaml.safe_load(Path(diffuscope.errors.__file__).with_name("napari.yaml").read_text(encoding="utf-8"))
    widgets = {widget["display_name"] for widget in manifest["contributions"]["widgets"]}
    assert widgets - {"Welcome", "Other models"} == set(DOCKS)


@pytest.mark.gui
def test_a_recent_result_and_a_dock_open(make_napari_viewer: Callable[..., Any], result_folder: Path):
    viewer = make_napari_viewer()
    viewer.window.show()
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Welcome")
    recent = dock.recent
    assert recent.isHidden()
    note(result_folder)
    dock.session.compute.tell()  # as at the end of each dock's job
    assert not recent.isHidden() and recent.list.item(0).text() == result_folder.name and not recent.open.isEnabled()
    recent.list.setCurrentRow(0)
    recent.open.click()
    assert {own_metadata(layer)["result"] for layer in viewer.layers} == {str(result_folder)}
    next(button for button in dock.findChildren(QPushButton) if button.text() == "Virtual staining").click()
    (stain,) = viewer.window._qt_window.findChildren(StainDock)
    assert stain.session.result is not None and result_folder.name in stain.results.heading.text()
    next(button for button in dock.findChildren(QPushButton) if button.text() == "Register").click()
    docks = [one.widget() for one in viewer.window._qt_window.findChildren(QDockWidget)]
    assert any(isinstance(one, RegisterDock) for one in docks)
    viewer.close()
