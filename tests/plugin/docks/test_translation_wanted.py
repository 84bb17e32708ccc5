"""The dock for volumes with a model that makes any contrast of any: what is given, what is wanted, what it learned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawn_reports
import numpy as np
import pytest
from model_card import CARD

from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

pytest.importorskip("napari")
pytest.importorskip("pytestqt")
pytest.importorskip("SimpleITK")

from diffuscope.plugin.docks.translation import TranslationDock
from diffuscope.plugin.jobs.child import Child
from tests.plugin.docks.test_docks import Driver, volume

pytestmark = pytest.mark.gui


@pytest.fixture
def at(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: Child
) -> Iterator[Any]:
    """The dock with a model that copies the mean of what it is given."""
    name = "any-to-any-slices"
    monkeypatch.setitem(registry._ROWS, name, drawn_reports.ROWS[name])
    folder = save_model(tmp_path / "contrasts", build_system(name, {}), name, {}, {**CARD, "title": "Contrasts"})
    viewer = make_napari_viewer()
    viewer.window.show()
    driver = Driver(viewer, qtbot, TranslationDock, tmp_path / "out.ome.zarr", compute)
    driver.use(folder)
    yield driver
    viewer.close()


def test_models_say_what_they_learned_from(at: Any):
    listed = [at.fields.model.itemText(index) for index in range(at.fields.model.count())]
    assert "Contrasts (learned from pairs)" in listed
    assert "CT from MR (learned from CT alone)" in listed
    assert at.fields.about.text().startswith("<b>Learned from pairs</b> of scans of the same patients.")
    index = at.fields.model.findData("mr-to-ct-sarcoma")
    at.fields.model.setCurrentIndex(index)
    at.fields.model.activated.emit(index)
    assert at.fields.about.text().startswith("<b>Zero-shot: learned from CT alone</b>, and never saw a pair.")
    assert not at.fields.goals.isVisibleTo(at.dock) and at.form.wanted == ()


@pytest.mark.slow
def test_a_slice_then_the_volume_of_what_is_wanted(at: Any, tmp_path: Path):
    [t2] = at.open(volume(tmp_path / "head_t2.nii.gz"))
    [photo] = at.open(volume(tmp_path / "unnamed.nii.gz"))
    assert [layer and layer.name for layer in at.dock.inputs.choices] == [None, None, t2.name, None, None, None]
    assert at.fields._inputs.fold.text() == "Volumes: T2"
    # chosen by hand for another input, and still so when one more comes
    at.fields.inputs[0].activated.emit(at.dock.inputs.layers.index(photo))
    at.open(volume(tmp_path / "flair.nii.gz"))
    assert at.form.keys == {"ct", "t2", "flair"}
    at.fields.inputs[0].activated.emit(len(at.dock.inputs.layers))
    at.fields.inputs[4].activated.emit(len(at.dock.inputs.layers))
    assert at.form.keys == {"t2"}
    for key, tick in at.fields.goals.ticks.items():
        tick.setChecked(key == "t1")
    at.viewer.dims.set_point(0, t2.data_to_world((3, 0, 0))[0])
    at.run(steps=1)
    at.finish()
    result = open_result(at.out)
    assert result.record["parameters"]["wanted"] == ["t1"] and list(result.record["inputs"]) == ["t2"]
    made = next(layer for layer in at.viewer.layers if layer.name == "generated T1")
    # its px are four times as wide as the scan's: the middle of the first lies between the second and the third
    np.testing.assert_allclose(t2.world_to_data(made.data_to_world((0, 0, 0))), (3, 1.5, 1.5), atol=1e-6)
    at.fields.goals.ticks["ct"].setChecked(True)
    at.dock.translation.whole.click()
    assert not at.state.failed, at.state.message
    at.finish()
    whole = open_result(at.dock.session.result.path)
    assert [port.key for port in whole.ports] == ["t1", "t1_sd"] and whole.images["t1"][0].shape[0] == 5
    assert whole.record["parameters"]["wanted"] == ["t1"]
