"""The dock for volumes in a real viewer: a slice first, the volume by the same settings, and a file of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffuscope.results.result import open_result

pytest.importorskip("napari")
pytest.importorskip("pytestqt")
pytest.importorskip("SimpleITK")

import SimpleITK as sitk
from asked_where import answer

from diffuscope.plugin.docks.kinds import TRANSLATION
from diffuscope.plugin.docks.translation import TranslationDock
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.forms.run_widget import FormWidget
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts
from diffuscope.ports.raster import Raster
from tests.plugin.docks.test_docks import Driver, save, volume

pytestmark = pytest.mark.gui


def test_until_one_is_chosen_the_model_is_the_one_for_what_the_layer_s_name_says(qtbot: Any):
    fields = FormWidget(RunForm(kind=TRANSLATION))
    qtbot.addWidget(fields)

    def taking(*names: str) -> ModelFacts:
        each = {"kind": "map", "mpp": 1e3, "range": (0.0, 1.0), "dtype": "float32", "spacing": (None, 1.0, 1.0)}
        ports = [Raster(name=name, key=name.lower(), channels=(name,), **each) for name in names]
        name = f"from {' and '.join(names)}"
        facts = {"title": name, "what_it_is": "", "what_it_is_not": "", "task": "modality translation"}
        return ModelFacts(name=name, inputs=tuple(ports), presets={"fast": ("ddim", 1)}, **facts)

    def model_for(layer: str) -> str:
        fields.set_inputs([SlideFacts(name=layer, path=None, mpp=None, spacing=(1.0, 1.0, 1.0), slices=4)])
        assert fields.form.model is not None and fields.model.currentData() == fields.form.model.name
        return fields.form.model.name

    fields.add_model(taking("CT"), choose=False)
    assert model_for("patient19-FLAIR.nii.gz") == "from CT"
    # several inputs are for layers to be found, not for one layer's name
    fields.add_model(taking("T1", "FLAIR"), choose=False)
    assert fields.form.model == taking("CT")
    fields.add_model(taking("FLAIR"), choose=False)
    assert fields.form.model == taking("FLAIR")
    fields.add_model(taking("T1"), choose=False)
    assert [model_for(name) for name in ("t1w.nii", "abc.nii", "ct.nrrd")] == ["from T1", "from T1", "from CT"]
    fields.model.activated.emit(2)
    assert fields.form.model == taking("FLAIR") and model_for("ct.nrrd") == model_for("t1w.nii") == "from FLAIR"


@pytest.mark.slow
def test_a_rectangle_of_a_slice_then_of_the_volume_then_a_nifti(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: Child
):
    model = save(
        tmp_path / "mr-to-ct",
        "midiffusion",
        {
            "size": "tiny",
            "target": {"name": "CT", "low": -200, "high": 300, "unit": "HU"},
            "source": {"name": "MR"},
            "tile": 48,
            "overlap": 8,
        },
    )
    viewer = make_napari_viewer()
    viewer.window.show()
    at = Driver(viewer, qtbot, TranslationDock, tmp_path / "out.ome.zarr", compute)
    dock = at.dock
    assert isinstance(dock, TranslationDock)
    at.use(model)
    assert "<b>Trained on:</b>" in at.fields.about.text()
    [layer] = at.open(volume(tmp_path / "mr.nii.gz"))
    at.viewer.dims.set_point(0, layer.data_to_world((3, 0, 0))[0])

    # drawing is for slices
    at.viewer.dims.roll()
    at.fields.draw.click()
    assert at.state.failed and "go back to axial slices" in at.state.message
    at.viewer.dims.roll()
    at.viewer.dims.roll()
    at.fields.draw.click()
    shapes = at.viewer.layers.selection.active
    shapes.add_rectangles(np.array([[3.5, 7.5], [31.5, 29.5]]))
    shapes.mode = "pan_zoom"
    assert at.fields.within.isChecked() and at.fields.region_text.text() == "Slice 3 (0 to 4)<br>22 × 28 px at x 8, y 4"

    at.form.samples, at.form.seed = 2, 7
    at.run()
    at.finish()
    preview = open_result(at.out)
    assert preview.window == (3, 4, 8, 1, 28, 22)
    assert at.results()["ct"].visible and dock.translation.view.currentText() == "virtual CT, one sample"
    dock.translation.support.click()
    assert at.results()["support"].visible
    dock.translation.view.setCurrentIndex(1)
    dock.translation.view.activated.emit(1)
    assert at.results()["mean"].visible and not at.results()["ct"].visible

    # by the settings of the slice, whatever the form says and the layer shows now
    at.form.samples, at.form.steps, at.form.region = 1, 9, "slices"
    at.viewer.layers.remove(shapes)
    dock.translation.whole.click()
    assert not at.state.failed, at.state.message
    at.finish()
    whole = open_result(tmp_path / "out-2.ome.zarr")
    assert whole.window == (0, 4, 8, 5, 28, 22) and whole.record["parameters"]["samples"] == 2
    for key, levels in preview.images.items():
        np.testing.assert_array_equal(np.asarray(whole.images[key][0])[3:4], np.asarray(levels[0]))
    assert dock.translation.whole.isHidden()

    # the main image alone, on the lattice of the file
    answer(monkeypatch)
    dock.results.export.click()
    at.until(lambda: at.state.is_idle)
    assert at.state.message == f"Exported to {tmp_path / 'out-2.ct.nii.gz'}."
    image, source = (sitk.ReadImage(str(tmp_path / name)) for name in ("out-2.ct.nii.gz", "mr.nii.gz"))
    assert (image.GetSize(), image.GetOrigin()) == (source.GetSize(), source.GetOrigin())
    # beside what was not computed values keep to a millionth of the range (`diffuscope.exports.nifti.absent`)
    read = sitk.GetArrayFromImage(image)
    np.testing.assert_allclose(read[:, 4:32, 8:30], np.asarray(whole.images["ct"][0])[..., 0], rtol=0, atol=1e-3)
    assert (read[:, :4] < -4000).all()
    at.viewer.close()
