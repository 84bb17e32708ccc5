"""The docks for nanoparticles and for volumes, with tiny untrained models, in a real viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patience import MILLISECONDS

from diffuscope.model.folder import load_model, save_model
from diffuscope.results.result import open_result
from diffuscope.sample_data import sample_path
from diffuscope.systems.registry import build_system

pytest.importorskip("napari")
pytest.importorskip("pytestqt")
pytest.importorskip("SimpleITK")

import SimpleITK as sitk

from diffuscope.plugin.docks.kinds import NANOPARTICLES
from diffuscope.plugin.docks.nanoparticle import NanoparticleDock
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.docks.translation import TranslationDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.inputs.orientation import say_orientation
from diffuscope.plugin.layers.live import PREVIEW
from diffuscope.plugin.layers.reader import read_layers

pytestmark = pytest.mark.gui


class Driver:
    """What a user does at a viewer with a dock."""

    def __init__(self, viewer: Any, qtbot: Any, dock: type[RunDock], out: Path, child: Child | None = None) -> None:
        self.viewer, self.qtbot, self.out = viewer, qtbot, out
        viewer.window._qt_window.resize(1280, 800)
        self.dock = dock(viewer, child)
        viewer.window.add_dock_widget(self.dock, name=self.dock.kind.title, area="right")
        self.state, self.form, self.fields = self.dock.session.state, self.dock.form, self.dock.fields
        self.until(lambda: self.state.is_idle)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=MILLISECONDS)

    def open(self, path: Path) -> list[Any]:
        return [self.viewer.add_image(data, **about) for data, about, _ in read_layers(str(path))]

    def use(self, model: Path) -> None:
        self.fields.folder_asked.emit(str(model))
        self.until(lambda: self.state.is_idle)

    def run(self, steps: int = 2) -> None:
        self.form.out, self.form.steps = str(self.out), steps
        self.dock.run.click()

    def finish(self) -> None:
        self.until(lambda: self.state.is_idle)
        assert self.state.message.startswith("Done"), self.state.message

    def results(self) -> dict[str, Any]:
        """Layers of results by the key of their port or value."""
        found = [(own_metadata(layer), layer) for layer in self.viewer.layers]
        return {own.get("port", own.get("value")): layer for own, layer in found if "result" in own}


@pytest.fixture
def at(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, compute: Child
) -> Iterator[Callable[[type[RunDock]], Driver]]:
    """A viewer with a dock, which shares a process with other tests."""
    docks: list[RunDock] = []

    def opened(dock: type[RunDock]) -> Driver:
        driver = Driver(make_napari_viewer(), qtbot, dock, tmp_path / "out.ome.zarr", compute)
        docks.append(driver.dock)
        return driver

    yield opened
    for dock in docks:
        dock.viewer.close()


def save(folder: Path, system: str, config: dict[str, Any]) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return save_model(folder, build_system(system, config), system, config, load_model("stain-cd3-demo").card)


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {"size": "tiny", "T": 1000, "patch": 64}
    return save(tmp_path_factory.mktemp("models") / "nano", "damm", config)


@pytest.fixture(scope="module")
def mr_to_ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target, source = {"name": "CT", "low": -200, "high": 300, "unit": "HU"}, {"name": "MR"}
    config = {"size": "tiny", "target": target, "source": source, "tile": 48, "overlap": 8}
    return save(tmp_path_factory.mktemp("models") / "mr-to-ct", "midiffusion", config)


def volume(path: Path, *, flipped: bool = False) -> Path:
    """A bright ball in the dark, 1 mm in the plane; with `flipped` the file keeps rows from the back to the front."""
    z, y, x = np.mgrid[:5, :40, :36]
    inside = (y - 15) ** 2 + (x - 20) ** 2 + (4 * (z - 2)) ** 2 < 144
    voxels = np.random.default_rng(0).normal(10, 2, inside.shape) + 90 * inside
    image = sitk.GetImageFromArray((voxels[:, ::-1] if flipped else voxels).astype(np.float32))
    image.SetSpacing((1.0, 1.0, 4.0))
    image.SetOrigin((-20.0, 39.0 if flipped else 0.0, 70.0))
    if flipped:
        image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.slow
def test_nanoparticles_from_two_channels_of_a_file(at: Any, nano: Path):
    at = at(NanoparticleDock)
    at.viewer.window.show()
    assert at.form.model is not None and at.form.model.name == "nanoparticles-demo"
    at.use(nano)
    assert at.dock.jobs.status.text() == NANOPARTICLES.empty
    coloured = at.viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="photo")
    assert (
        at.dock.jobs.status.text()
        == f"“photo” is a picture in colours, which no model of this dock takes. {NANOPARTICLES.empty}"
    )
    at.viewer.layers.remove(coloured)
    at.open(sample_path("tumour-simulated.ome.tif"))
    assert [box.currentText() for box in at.fields.inputs] == [
        "CD31 · tumour-simulated.ome.tif", "DAPI · tumour-simulated.ome.tif",
    ]  # fmt: skip
    assert at.fields.noun.text() == "Vessels (CD31)" and at.form.resolution_text().endswith("used as it is.")

    # the same layer twice is one sentence, and another layer mends it
    at.fields.inputs[1].activated.emit(0)
    at.run()
    assert at.state.failed and "is chosen for vessels (CD31) and for nuclei (DAPI)" in at.state.message
    at.fields.inputs[1].activated.emit(1)

    at.fields.options.fields["gamma"].setValue(1.0)
    at.dock.fields.draw.click()
    shapes = at.viewer.layers.selection.active
    shapes.add_rectangles(np.array([[400.0, 400.0], [470.0, 470.0]]))
    shapes.mode = "pan_zoom"
    at.run()
    at.finish()
    result = open_result(at.out)
    assert result.record["parameters"]["options"] == {"gamma": 1.0}
    assert [about["channel"] for about in result.record["inputs"].values()] == ["CD31", "DAPI"]
    shown = at.results()
    assert list(shown) == ["nanoparticles", "attention_uncertainty", "uncertainty", "divergence", "multimodal"]
    assert shown["nanoparticles"].visible and "in 100% of" in at.dock.particles.summary.text()

    # a px of the heat map lies on the middle of its tile
    rows = [row for row in result.values.rows() if row["step"] == 1]
    heat = shown["divergence"]
    for row in rows:
        place = shown["nanoparticles"].data_to_world((row["y"] + 31.5, row["x"] + 31.5))
        told = heat.data[tuple(np.round(heat.world_to_data(place)).astype(int))]
        d = [other["divergence"] for other in result.values.rows() if (other["y"], other["x"]) == (row["y"], row["x"])]
        assert told == pytest.approx(np.mean(d))


@pytest.mark.slow
def test_layers_without_a_file_go_in_by_their_names(at: Any, nano: Path):
    at = at(NanoparticleDock)
    at.use(nano)
    noise = np.random.default_rng(0)
    for name in ("Hoechst 33342", "lectin"):
        pixels = noise.integers(0, 200, (64, 64)).astype(np.uint8)
        at.viewer.add_image(pixels, name=name, units=("um", "um"), contrast_limits=(0, 255))
    assert [layer.name for layer in at.dock.inputs.choices] == ["lectin", "Hoechst 33342"]
    at.form.region = "view"
    at.run()
    at.finish()
    names = [about["name"] for about in open_result(at.out).record["inputs"].values()]
    assert names == ["lectin", "Hoechst 33342"]


def test_a_model_of_another_dock_is_told_of(at: Any, tiny_model: Path):
    at = at(TranslationDock)
    before = at.form.model
    assert before is not None and before.axes == "zyx"
    at.use(tiny_model)
    assert at.state.failed and "“Virtual staining”" in at.state.message and at.form.model is before


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.slow
def test_this_slice_comes_to_lie_on_its_volume_and_then_the_others(at: Any, mr_to_ct: Path, tmp_path: Path, flipped):
    at = at(TranslationDock)
    at.use(mr_to_ct)
    [layer] = at.open(volume(tmp_path / "mr.nii.gz", flipped=flipped))
    layer.translate = np.add(layer.translate, (0.0, 3.0, 5.0))  # the user moves it
    assert "1 × 1 × 4 mm (x, y, z), 5 slices" in at.form.resolution_text()
    assert at.form.region == "slice"
    at.viewer.dims.set_point(0, layer.data_to_world((3, 0, 0))[0])
    assert at.fields.region_text.text() == "Slice 3 (0 to 4)"
    at.fields.options.fields["guidance"].setValue(2.0)
    at.run()
    at.finish()
    assert open_result(at.out).record["parameters"]["slices"] == "3:4"
    left = {"t0": 1.0, "along_z": 1.0, "neighbours": 1.0, "consistency": 0.0}
    assert open_result(at.out).record["parameters"]["options"] == {"guidance": 2.0} | left
    shown = at.results()
    # one sample has neither mean nor spread
    assert list(shown) == ["ct", "support"] and shown["ct"].data.shape == (1, 40, 36)
    np.testing.assert_allclose(layer.world_to_data(shown["ct"].data_to_world((0, 0, 0))), (3, 0, 0), atol=1e-6)
    np.testing.assert_allclose(shown["ct"].scale, layer.scale)
    # what is shown, upright, is the array that was written
    bright = np.argwhere(np.asarray(layer.data) > 60).mean(axis=0)
    np.testing.assert_allclose(bright, (2, 15, 20), atol=0.2)

    at.out = tmp_path / "more.ome.zarr"
    at.form.region, at.form.first, at.form.last = "slices", 1, 2
    assert at.fields.slices.isVisibleTo(at.dock)
    at.run()
    at.finish()
    assert at.results()["ct"].data.shape == (2, 40, 36)
    assert np.asarray(at.results()["ct"].data).std() > 0


@pytest.mark.slow
def test_a_volume_is_cancelled_and_gone_on_with(at: Any, mr_to_ct: Path, tmp_path: Path):
    at = at(TranslationDock)
    at.use(mr_to_ct)
    [layer] = at.open(volume(tmp_path / "mr.nii.gz"))
    at.viewer.dims.set_point(0, layer.data_to_world((2, 0, 0))[0])
    at.form.region = "volume"
    at.run(steps=400)
    at.until(lambda: PREVIEW in [layer.name for layer in at.viewer.layers])
    preview = at.viewer.layers[PREVIEW]
    # where the user looks comes first
    assert preview.ndim == 3 and layer.world_to_data(preview.data_to_world((0, 0, 0)))[0] == pytest.approx(2.0)
    at.dock.cancel.click()
    at.until(lambda: at.state.is_idle)
    assert at.state.message.startswith("Cancelled after 0 of 5 slices"), at.state.message
    at.dock.results.resume.click()
    at.until(lambda: at.state.phase == "running" or at.state.is_idle)
    assert not at.state.failed, at.state.message
    at.dock.cancel.click()
    at.until(lambda: at.state.is_idle)


@pytest.mark.slow
def test_a_volume_without_a_file_is_run_like_one(at: Any, mr_to_ct: Path):
    at = at(TranslationDock)
    at.use(mr_to_ct)
    voxels = np.random.default_rng(0).normal(100, 10, (2, 40, 36)).astype(np.float32)
    layer = at.viewer.add_image(voxels, name="scan")
    at.run()
    assert at.state.failed and "“scan” does not state its mm" in at.state.message
    at.viewer.layers.remove(layer)
    layer = at.viewer.add_image(voxels, name="scan", scale=(3, 1, 1), units=("mm",) * 3)
    at.run()
    assert at.state.failed and "“scan” does not say how it lies in the patient" in at.state.message
    say_orientation(layer, "IAR")
    at.run()
    at.finish()
    np.testing.assert_allclose(at.results()["ct"].scale, (3, 1, 1))
