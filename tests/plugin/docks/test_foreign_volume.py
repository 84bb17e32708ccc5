"""A volume of another reader in the dock: asked how it lies, nothing chosen beforehand, and taken as the user says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.docks.asking import request_of
from diffuscope.plugin.docks.translation import TranslationDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.ports.raster import Raster
from diffuscope.results.result import open_result

pytestmark = pytest.mark.gui

T1 = Raster(name="T1", key="t1", kind="map", channels=("T1",), mpp=1e3, range=(0.0, 1.0), dtype="float32",
            spacing=(None, 1.0, 1.0))  # fmt: skip
MODEL = ModelFacts(
    name="t1", title="T1", what_it_is="", what_it_is_not="", task="modality translation", inputs=(T1,),
    presets={"fast": ("ddim", 1)},
)  # fmt: skip


@pytest.fixture
def dock(make_napari_viewer: Any, qtbot: Any) -> TranslationDock:
    viewer = make_napari_viewer()
    dock = TranslationDock(viewer, Child("fake_verbs"))
    viewer.window.add_dock_widget(dock, name="Modality translation", area="right")
    dock.fields.add_model(MODEL, choose=True)
    dock.form.out = "/nowhere/out.ome.zarr"
    return dock


def choose(dock: TranslationDock, number: int, ends: str) -> None:
    for box, letter in zip(dock.orientation.boxes[number], ends, strict=True):
        box.setCurrentIndex(box.findData(letter))
        box.activated.emit(box.currentIndex())


def test_it_is_asked_how_it_lies(dock: TranslationDock):
    voxels = np.random.default_rng(0).random((6, 8, 9), np.float32)
    layer = dock.viewer.add_image(voxels, name="T1", scale=(3.0, 1.0, 1.0), units=("mm",) * 3)
    [row] = dock.orientation.boxes
    assert all(box.isVisibleTo(dock) and box.currentIndex() == -1 for box in row)
    assert "does not say how it lies" in dock.form.problem()
    dock.run.click()
    assert dock.session.state.failed and dock.session.state.is_idle
    choose(dock, 0, "IPL")
    assert dock.form.problem() == "" and not dock.session.state.failed
    [given] = request_of(dock, None).inputs
    lies = given.facts.lies
    np.testing.assert_array_equal(lies.storage.show(given.pixels), voxels[:, ::-1, ::-1])
    # edited in place, it is what is shown, and lies as was said
    layer.data = voxels[::-1]
    assert dock.form.problem() == ""
    np.testing.assert_array_equal(request_of(dock, None).inputs[0].pixels, voxels[::-1])


def test_slices_and_cuts_are_those_of_the_patient(dock: TranslationDock):
    layer = dock.viewer.add_image(np.zeros((9, 8, 6)), name="T1", scale=(1.0, 1.0, 3.0), units=("mm",) * 3)
    choose(dock, 0, "RAS")  # as nibabel has it: x first, then y, and slices last, here from the head down
    assert dock.form.slide.slices == 6 and dock.fields.slices.last.maximum() == 5
    dock.viewer.dims.set_point(2, layer.data_to_world((0, 0, 4))[2])
    assert dock.fields.region_text.text().startswith("Axial slice 1 (0 to 5). You look at sagittal cuts")
    dock.viewer.dims.order = (2, 1, 0)
    assert dock.fields.region_text.text() == "Slice 1 (0 to 5)"


def test_what_was_told_of_a_file_stands_in_the_dock_before_a_run(dock: TranslationDock, tmp_path: Path):
    nibabel = pytest.importorskip("nibabel")
    voxels = np.random.default_rng(0).random((9, 8, 6)).astype(np.float32)
    voxels[:3] = np.nan
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 3.0, 1.0])), tmp_path / "holed.nii.gz")
    whole = dock.viewer.add_image(np.zeros((6, 8, 9)), name="T1", scale=(3.0, 1.0, 1.0), units=("mm",) * 3)
    assert not dock.told.isVisibleTo(dock)
    dock.viewer.layers.remove(whole)
    dock.viewer.open(str(tmp_path / "holed.nii.gz"), plugin="diffuscope")
    assert dock.told.isVisibleTo(dock) and dock.told.text().startswith("holed.nii.gz has 144 voxels (33 %)")
    dock.viewer.layers.clear()
    assert not dock.told.isVisibleTo(dock)


def test_what_a_run_told_stands_with_its_result(dock: TranslationDock, result_folder: Path):
    result = open_result(result_folder)
    dock.results.show_result(result)
    assert not dock.results.told.isVisibleTo(dock.results)
    dock.results.show_result(replace(result, record={**result.record, "notices": ["One & two.", "Three."]}))
    assert dock.results.told.isVisibleTo(dock.results) and dock.results.told.text() == "One &amp; two.<br>Three."
