"""The dock in a real viewer, with a real slide and a real (tiny, untrained) model in a real child process.

One test goes the whole way with a window on the screen and a process of the dock's own; the others share a process.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from patience import MILLISECONDS

from diffuscope import finish, run
from diffuscope.model.folder import load_model, save_model
from diffuscope.sample_data import sample_path
from diffuscope.systems.registry import build_system

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from asked_where import answer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QLabel

from diffuscope.plugin.docks import asking as dock_module
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import KEY, is_result, own_metadata
from diffuscope.plugin.layers.inputs.origin import Origin, remember
from diffuscope.plugin.layers.live import PREVIEW
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.results.result import open_result
from diffuscope.scans.fingerprint import fingerprint

pytestmark = pytest.mark.gui

# a region inside one cell of the tile grid, so that a run is one tile
CORNERS = np.array([[1319.5, 799.5], [1399.5, 919.5]])


class Driver:
    """What a user does at a viewer with the dock."""

    def __init__(self, viewer: Any, qtbot: Any, out: Path, child: Child | None = None) -> None:
        self.viewer, self.qtbot, self.out = viewer, qtbot, out
        self.dock = StainDock(viewer, child)
        viewer.window.add_dock_widget(self.dock, name="Virtual staining", area="right")
        self.state = self.dock.session.state
        self.until(lambda: self.state.is_idle)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=MILLISECONDS)

    def open(self, path: Path) -> Any:
        for data, about, _ in read_layers(str(path)):
            layer = self.viewer.add_image(data, **about)
        return layer

    def use(self, model: Path) -> None:
        self.dock.fields.folder_asked.emit(str(model))
        self.until(lambda: self.state.is_idle)

    def draw(self) -> None:
        self.dock.fields.draw.click()
        shapes = self.viewer.layers.selection.active
        shapes.add_rectangles(CORNERS)
        shapes.mode = "pan_zoom"

    def fill(self, *, steps: int = 2) -> None:
        self.dock.form.out = str(self.out)
        self.dock.fields.steps.setValue(steps)

    def run(self) -> None:
        self.dock.run.click()
        self.until(lambda: self.state.is_idle)

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def at(make_napari_viewer: Any, qtbot: Any, tmp_path: Path, compute: Child) -> Iterator[Driver]:
    """A viewer with the dock."""
    viewer = make_napari_viewer()
    yield Driver(viewer, qtbot, tmp_path / "out.ome.zarr", compute)
    viewer.close()


@pytest.fixture
def alone(make_napari_viewer: Any, qtbot: Any, tmp_path: Path) -> Iterator[Driver]:
    """The dock in a window, with its own child process; afterwards that must be gone with the window."""
    viewer = make_napari_viewer()
    viewer.window.show()
    driver = Driver(viewer, qtbot, tmp_path / "out.ome.zarr")
    yield driver
    child: Child = driver.dock.session.compute.child
    pid = child.pid
    viewer.close()
    qtbot.waitUntil(lambda: child.pid is None, timeout=MILLISECONDS)
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 2**22 + 1, 0)


@pytest.mark.slow
def test_the_whole_way_to_a_window_that_is_closed(
    alone: Driver, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    at = alone
    at.open(sample_path("CMU-1-Small-Region.svs"))
    at.use(tiny_model)
    assert not at.state.failed, at.state.message
    assert at.dock.form.model.name == str(tiny_model)
    assert "0.499" in at.dock.fields.resolution.text() and "Not for diagnosis" in at.dock.fields.about.text()

    # draw, run with more steps than anyone waits for, see a preview, cancel
    at.draw()
    assert at.dock.fields.region_text.text() == "120 × 80 px at x 800, y 1320"
    at.fill(steps=500)
    shown_before = len(at.names)
    at.dock.run.click()
    assert at.dock.run.text() == "Add to queue" and at.dock.cancel.text() == "Cancel"
    assert at.dock.jobs.status.isVisible() and not at.dock.jobs.bar.isVisible()
    # Each picture of what moves draws the whole window, which takes a processor where there is no GPU.
    movies = [label.movie() for label in at.dock.window().findChildren(QLabel) if label.movie() is not None]
    assert movies and all(movie.speed() < 15 for movie in movies)
    at.until(lambda: PREVIEW in at.names)
    assert at.dock.jobs.bar.isVisible() and at.dock.jobs.bar.maximum() > 0
    preview = at.viewer.layers[PREVIEW]
    assert preview.data.shape[2] == 4 and preview.data[..., :3].std() > 0
    at.dock.cancel.click()
    assert at.dock.cancel.text() == "Cancelling…" and not at.dock.cancel.isEnabled()
    at.until(lambda: at.state.is_idle)
    assert at.state.message.startswith("Cancelled after 0 of 1 tile") and not at.state.failed
    assert PREVIEW not in at.names and len(at.names) == shown_before  # nothing is there to be seen
    assert not open_result(at.out).complete

    # go on with it, and stop again: it is the same run, with the steps it was begun with
    assert at.dock.results.resume.isVisibleTo(at.dock)
    at.fill(steps=2)
    at.dock.results.resume.click()
    at.until(lambda: PREVIEW in at.names)
    assert at.state.steps > 500
    at.dock.cancel.click()
    at.until(lambda: at.state.is_idle)
    assert at.state.message.startswith("Cancelled after 0 of 1 tile") and not at.state.failed
    assert open_result(at.out).record["parameters"]["steps"] == 500
    results = at.dock.results
    assert results.resume.isEnabled() and not any(one.isEnabled() for one in (results.export, results.qupath))

    # run to the end, in the place of what was cancelled
    monkeypatch.setattr(dock_module, "ask_overwrite", lambda *_: "replace")
    at.fill(steps=2)
    at.run()
    assert at.state.message.startswith("Done: 1 tile"), at.state.message
    result = open_result(at.out)
    assert result.complete
    shown = [layer for layer in at.viewer.layers if is_result(layer)]
    assert [own_metadata(layer)["port"] for layer in shown] == [port.key for port in result.ports]
    assert all(own_metadata(layer)["record"]["command"].startswith("diffuscope run") for layer in shown)
    ihc = shown[0]
    np.testing.assert_allclose(
        at.viewer.layers[0].world_to_data(ihc.data_to_world((-0.5, -0.5))), CORNERS[0], atol=1e-6
    )
    on_disk = np.moveaxis(zarr.open_array(at.out / "0", mode="r")[:], 0, -1)
    finest = ihc.data[0] if ihc.multiscale else ihc.data
    np.testing.assert_array_equal(np.asarray(finest)[..., :3], on_disk)

    # the pathologist's numbers, and the export, read back
    assert at.dock.results.isVisibleTo(at.dock) and at.dock.results.table.rowCount() >= 4
    target = tmp_path / "export.ome.tif"
    answer(monkeypatch, target, of="OME-TIFF pyramid (*.ome.tif)")
    at.dock.results.layer.setCurrentIndex(at.dock.results.layer.findData(result.ports[0].key))
    at.dock.results.export.click()
    at.until(lambda: at.state.is_idle)
    assert at.state.message == f"Exported to {target}.", at.state.message
    np.testing.assert_array_equal(tifffile.imread(target), on_disk)

    # closing the window ends a run, which has replaced nothing yet: the fixture waits for the process to be gone
    at.fill(steps=500)
    at.dock.run.click()
    at.until(lambda: at.state.steps > 500 and at.state.step > 0)
    assert PREVIEW not in at.names and open_result(at.out).complete
    assert not at.state.is_idle and at.dock.session.compute.child.pid is not None


@pytest.mark.slow
def test_the_window_answers_while_a_run_goes_on(at: Driver, tiny_model: Path):
    at.open(sample_path("CMU-1-Small-Region.svs"))
    at.use(tiny_model)
    at.draw()
    at.fill(steps=500)
    beats: list[int] = []
    clock = QTimer()
    clock.timeout.connect(lambda: beats.append(1))
    at.dock.run.click()
    at.until(lambda: PREVIEW in at.names)
    clock.start(20)
    # were the run in the window's own thread, it would be over before the second beat
    at.until(lambda: len(beats) >= 20 or at.state.is_idle)
    clock.stop()
    assert at.state.phase == "running"
    panel = at.dock.jobs
    assert not panel.pause.isHidden() and panel.pause.text() == "Pause"
    panel.pause.click()
    assert at.state.phase == "paused" and panel.pause.text() == "Resume" and "paused" in panel.progress.text()
    panel.pause.click()
    assert at.state.phase == "running" and panel.pause.text() == "Pause"
    at.dock.cancel.click()
    at.until(lambda: at.state.is_idle)
    assert panel.pause.isHidden()


@pytest.mark.slow
def test_a_second_slide_does_not_take_the_result(at: Driver, tiny_model: Path):
    first = at.open(sample_path("CMU-1-Small-Region.svs"))
    at.use(tiny_model)
    at.draw()
    at.fill()
    at.dock.run.click()
    at.open(sample_path("OS-1-detail.ome.tif"))
    first.name = "renamed"
    at.until(lambda: at.state.is_idle)
    assert not at.state.failed, at.state.message
    record = open_result(at.out).record
    assert [about["name"] for about in record["inputs"].values()] == ["CMU-1-Small-Region.svs"]


@pytest.mark.slow
def test_a_slide_that_napari_opened_is_its_file_and_edited_a_copy(at: Driver, tiny_model: Path, tmp_path: Path):
    path = tmp_path / "mine.svs"
    shutil.copyfile(sample_path("CMU-1-Small-Region.svs"), path)
    [layer] = at.viewer.open(path, plugin="napari")
    at.use(tiny_model)
    assert Path(at.dock.form.out).parent == tmp_path
    at.draw()
    for out, name in (("out", "mine.svs"), ("edited", "mine")):
        at.out = tmp_path / f"{out}.ome.zarr"
        at.fill()
        at.run()
        assert at.state.message.startswith("Done"), at.state.message
        record = open_result(at.out).record
        stated = record["inputs"]["he"]
        assert (stated["name"], stated["format"] == "Aperio SVS") == (name, name == "mine.svs")
        assert (stated["fingerprint"] == fingerprint(path)) == bool(record["command"]) == (name == "mine.svs")
        layer.data[0, 0] ^= 255


@pytest.mark.slow
def test_pixels_in_memory_are_run_like_a_file_and_leave_none(
    at: Driver, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    pixels = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[1200:1500, 700:1000]
    at.viewer.add_image(pixels, name="crop", scale=(0.5, 0.5), units=("um", "um"), contrast_limits=(0, 255))
    at.use(tiny_model)
    at.dock.form.region = "view"
    at.fill()
    at.run()
    assert at.state.message.startswith("Done"), at.state.message
    assert open_result(at.out).record["inputs"]["he"]["name"] == "crop"
    assert not list(scratch.iterdir())


# --- bad input: one sentence, nothing left behind, the dock usable afterwards ---


def stand_in(at: Driver, path: Path) -> None:
    """A layer of a file that has changed since it was opened; its own pixels are in memory."""
    pixels, place = np.zeros((300, 300, 3), np.uint8), {"scale": (0.5, 0.5), "units": ("um", "um")}
    remember(pixels, Origin(path=path))
    at.viewer.add_image(pixels, name=path.name, metadata={KEY: {"mpp": 0.5}}, contrast_limits=(0, 255), **place)


def no_file(at: Driver, tmp_path: Path) -> None:
    stand_in(at, tmp_path / "gone.svs")


def text_file(at: Driver, tmp_path: Path) -> None:
    (tmp_path / "notes.svs").write_text("not a slide")
    stand_in(at, tmp_path / "notes.svs")


def truncated(at: Driver, tmp_path: Path) -> None:
    whole = sample_path("CMU-1-Small-Region.svs").read_bytes()
    (tmp_path / "half.svs").write_bytes(whole[: len(whole) // 2])
    stand_in(at, tmp_path / "half.svs")


def sixteen_bit(at: Driver, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (300, 300)).astype(np.uint16)
    at.viewer.add_image(pixels, name="mono", scale=(0.5, 0.5), units=("um", "um"), contrast_limits=(0, 4000))
    at.dock.form.region = "tissue"


def white(at: Driver, tmp_path: Path) -> None:
    pixels = np.full((600, 600, 3), 255, np.uint8)
    at.viewer.add_image(pixels, name="white", scale=(0.5, 0.5), units=("um", "um"), contrast_limits=(0, 255))
    at.dock.form.region = "tissue"


def no_scale(at: Driver, tmp_path: Path) -> None:
    at.open(sample_path("TCGA-CR-7395.svs"))


def no_such_device(at: Driver, tmp_path: Path) -> None:
    at.dock.form.device = "cuda" if sys.platform == "darwin" else "mps"


def outside(at: Driver, tmp_path: Path) -> None:
    at.viewer.layers.selection.active.data = [CORNERS[0] - 9000 + np.array([[0, 0], [0, 50], [50, 50], [50, 0]])]


def a_line(at: Driver, tmp_path: Path) -> None:
    shapes = at.viewer.layers.selection.active
    shapes.data = []
    shapes.add_lines(CORNERS)


def no_shape(at: Driver, tmp_path: Path) -> None:
    at.viewer.layers.selection.active.data = []


def nowhere(at: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    at.dock.form.out = str(tmp_path / "file" / "out.ome.zarr")


def in_the_way(at: Driver, tmp_path: Path) -> None:
    precious = tmp_path / "precious.ome.zarr"
    precious.mkdir()
    (precious / "data").write_text("mine")
    at.dock.form.out = str(precious)


BAD = [
    (no_file, "gone.svs"),
    (text_file, "notes.svs"),
    (truncated, "half.svs"),
    (sixteen_bit, "mono"),
    (white, "no tissue"),
    (no_scale, "µm/px"),
    (no_such_device, "asked for, but PyTorch finds none here"),
    (outside, "lies off “CMU-1-Small-Region.svs”"),
    (a_line, "encloses no region"),
    (no_shape, "Nothing is drawn"),
    (nowhere, "out.ome.zarr"),
    (in_the_way, "precious.ome.zarr"),
]


@pytest.mark.slow
def test_after_every_bad_input_the_dock_is_usable(
    at: Driver, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dock_module, "ask_overwrite", lambda *_: "replace")
    at.use(tmp_path / "no such model")
    assert at.state.failed and at.state.is_idle
    slide = at.open(sample_path("CMU-1-Small-Region.svs"))
    at.use(tiny_model)
    for spoil, words in BAD:
        at.draw()
        at.fill()
        before = set(tmp_path.iterdir())
        spoil(at, tmp_path)
        at.run()
        message = at.state.message
        assert at.state.failed and words in message, f"{spoil.__name__}: {message}"
        assert "\n" not in message and "Traceback" not in message
        assert at.dock.run.text() == "Run" and at.dock.run.isEnabled()
        assert not at.out.exists(), spoil.__name__
        assert {path.name for path in set(tmp_path.iterdir()) - before} <= {
            "notes.svs",
            "half.svs",
            "file",
            "precious.ome.zarr",
        }
        at.dock.form.device, at.dock.form.region = "auto", "shape"
        for layer in [layer for layer in at.viewer.layers if layer is not slide]:
            at.viewer.layers.remove(layer)
    assert (tmp_path / "precious.ome.zarr" / "data").read_text() == "mine"
    at.draw()
    at.fill()
    at.run()
    assert at.state.message.startswith("Done"), at.state.message


@pytest.fixture
def two_stain_model(tmp_path: Path) -> Path:
    """A folder of an untrained Multi-StainDiffuser, the smallest there is."""
    config = {"stains": ["CD3", "CK8/18"], "size": "tiny", "T": 20}
    card = load_model("stain-cd3-demo").card
    return save_model(
        tmp_path / "two", build_system("multi-staindiffuser", config), "multi-staindiffuser", config, card
    )


@pytest.mark.slow
def test_several_stains_come_as_layers_and_as_columns(at: Driver, two_stain_model: Path):
    at.open(sample_path("CMU-1-Small-Region.svs"))
    at.use(two_stain_model)
    assert not at.state.failed, at.state.message
    at.draw()
    at.fill()
    at.run()
    assert at.state.message.startswith("Done: 1 tile"), at.state.message
    shown = [layer for layer in at.viewer.layers if is_result(layer)]
    assert [layer.name for layer in shown if layer.visible] == [
        "virtual CD3", "virtual multiplex (CD3 brown, CK8/18 green)",
    ]  # fmt: skip
    assert [own_metadata(layer)["port"] for layer in shown] == [
        *(port.key for port in open_result(at.out).ports), "multiplex",
    ]  # fmt: skip
    top = shown[-1].data[0] if shown[-1].multiscale else shown[-1].data
    pixels = np.asarray(top)
    assert (pixels[..., 3] == 255).mean() > 0.9 and pixels[..., :3].std() > 0
    header = [at.dock.results.table.horizontalHeaderItem(column).text() for column in range(3)]
    assert [text.rpartition(" · ")[2] for text in header[1:]] == ["CD3", "CK8/18"]


@pytest.mark.slow
def test_an_h_and_e_is_normalised_unless_the_box_is_cleared(at: Driver, tiny_model: Path, tmp_path: Path):
    config = {"stain": "CD3", "size": "tiny", "T": 100, "normalise": True}
    system, card = build_system("staindiffuser", config), load_model(tiny_model).card
    model = save_model(tmp_path / "normalising", system, "staindiffuser", config, card)
    box, heading = at.dock.fields.normalise, at.dock.results.heading
    at.open(sample_path("CMU-1-Small-Region.svs"))
    at.use(tiny_model)
    assert not box.isVisibleTo(at.dock)
    at.use(model)
    assert box.isVisibleTo(at.dock) and box.isChecked()
    at.draw()
    at.fill(steps=1)
    at.run()
    stains = open_result(at.out).record["inputs"]["he"]["stains"]
    assert f"H&amp;E normalised: haematoxylin {stains['nucleus']:.2f} → 0.50" in heading.text()

    # cleared, cancelled and gone on with: it is still the run that it was begun as
    box.click()
    at.out = tmp_path / "as-it-is.ome.zarr"
    at.fill(steps=50)
    at.dock.run.click()
    at.until(lambda: PREVIEW in at.names)
    at.dock.cancel.click()
    at.until(lambda: at.state.is_idle)
    assert not open_result(at.out).complete
    box.click()
    at.dock.results.resume.click()
    at.until(lambda: at.state.is_idle)
    assert not at.state.failed, at.state.message
    record = open_result(at.out).record
    assert record["parameters"]["normalise"] is False and "stains" not in record["inputs"]["he"]
    assert "normalised" not in heading.text()


@pytest.mark.slow
def test_a_cut_is_normalised_by_the_stains_of_the_slide_that_is_chosen(
    at: Driver, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = {"stain": "CD3", "size": "tiny", "T": 100, "normalise": True}
    system, card = build_system("staindiffuser", config), load_model(tiny_model).card
    model = save_model(tmp_path / "normalising", system, "staindiffuser", config, card)
    slide = sample_path("CMU-1-Small-Region.svs")
    cut = tifffile.imread(slide)[900:1028, 900:1028]
    tifffile.imwrite(tmp_path / "cut.tif", cut, photometric="rgb", resolution=(2e4, 2e4), resolutionunit=3)
    at.open(slide)
    at.open(tmp_path / "cut.tif")
    at.use(model)
    row, heading = at.dock.fields.stains, at.dock.results.heading
    assert row.isVisibleTo(at.dock) and row.path.text() == ""
    at.dock.form.region = "tissue"
    at.fill(steps=1)
    at.run()
    assert "Measured on this small cut alone" in heading.text() and "by the stains of" in heading.text()

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(slide), ""))
    row.browse.click()
    assert row.path.text() == str(slide)
    at.out = tmp_path / "by-its-slide.ome.zarr"
    at.fill(steps=1)
    at.run()
    stains = open_result(at.out).record["inputs"]["he"]["stains"]
    assert stains["measured_on"] == ["CMU-1-Small-Region.svs"] and "alone" not in heading.text()
    # of the whole slide, which another run measures itself
    finish(run(model, slide, tmp_path / "whole.ome.zarr", region="0,0,64,64", steps=1, device="cpu"))
    whole = open_result(tmp_path / "whole.ome.zarr").record["inputs"]["he"]["stains"]
    assert (stains["nucleus"], stains["tissue"]) == pytest.approx((whole["nucleus"], whole["tissue"]), rel=1e-3)
    # another slide was stained otherwise
    at.dock.fields.layer_chosen.emit(0, [layer.name for layer in at.dock.inputs.layers].index(slide.name))
    assert at.dock.form.stains_of == "" and row.path.text() == ""
    at.dock.fields.normalise.click()
    assert not row.isVisibleTo(at.dock)
