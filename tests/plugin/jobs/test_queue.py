"""Jobs that wait in a real viewer, run by a real child process whose runs need no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import MILLISECONDS

from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from fake_models import MODELS

from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.queue import same_folder
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.results.result import open_result

pytestmark = pytest.mark.gui


class Driver:
    """What a user does at a viewer with the dock."""

    def __init__(self, viewer: Any, qtbot: Any, out: Path) -> None:
        self.viewer, self.qtbot, self.out = viewer, qtbot, out
        viewer.window._qt_window.resize(1280, 800)
        for data, about, _ in read_layers(str(sample_path("CMU-1-Small-Region.svs"))):
            viewer.add_image(data, **about)
        self.child = Child("fake_verbs")
        self.dock = StainDock(viewer, self.child)
        viewer.window.add_dock_widget(self.dock, name="Virtual staining", area="right")
        self.state, self.queue = self.dock.session.state, self.dock.session.compute.queue
        for model in MODELS:
            self.dock.fields.add_model(model, choose=False)
        self.shown: list[str] = []
        self.dock.session.result_changed.connect(lambda result: result and self.shown.append(result.path.name))
        self.dock.form.out, self.dock.form.region = str(out), "tissue"

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=MILLISECONDS)

    def run(self, model: str) -> None:
        self.dock.form.model = next(facts for facts in self.dock.fields.models if facts.name == model)
        self.dock.run.click()

    def cancel(self) -> None:
        self.until(lambda: self.state.phase == "running")
        self.dock.cancel.click()

    @property
    def listed(self) -> list[str]:
        rows = self.dock.jobs.list
        return [rows.item(row, 0).text() for row in range(rows.rowCount())]

    @property
    def promised(self) -> list[str]:
        return [entry.job.out.name for entry in self.queue.waiting]


@pytest.fixture
def at(make_napari_viewer: Any, qtbot: Any, tmp_path: Path) -> Iterator[Driver]:
    """A viewer with the dock; afterwards the child process must be gone with the window, whatever still waits."""
    driver = Driver(make_napari_viewer(), qtbot, tmp_path / "out.ome.zarr")
    yield driver
    child = driver.child
    driver.viewer.close()
    qtbot.waitUntil(lambda: child.pid is None, timeout=MILLISECONDS)


@pytest.mark.slow
def test_jobs_run_in_order_each_in_a_folder_of_its_own(at: Driver, tmp_path: Path):
    at.run("endless")
    assert at.dock.run.text() == "Add to queue" and not at.dock.jobs.list.isVisibleTo(at.dock)
    at.run("quick")
    at.dock.form.region = "view"
    at.run("quick")
    assert at.promised == ["out-2.ome.zarr", "out-3.ome.zarr"]
    first, second = at.listed
    assert first == "CMU-1-Small-Region.svs · quick · all tissue"
    assert second.startswith("CMU-1-Small-Region.svs · quick · ") and second.endswith(" px")
    # what waits is bound: it needs neither the form nor the layer any more
    at.dock.form.out = str(tmp_path / "other.ome.zarr")
    at.viewer.layers.remove(at.viewer.layers[0])
    at.until(lambda: at.state.phase == "running")
    at.dock.session.pause()
    at.dock.cancel.click()  # what comes next is not paused
    at.until(lambda: at.state.is_idle)
    assert at.shown == ["out.ome.zarr", "out-2.ome.zarr", "out-3.ome.zarr"]
    assert [open_result(tmp_path / name).complete for name in at.shown] == [False, True, True]
    assert at.state.message.startswith("Done") and not at.dock.jobs.list.isVisibleTo(at.dock)
    assert at.dock.run.text() == "Run" and not at.dock.cancel.isVisibleTo(at.dock)


@pytest.mark.slow
def test_a_job_taken_off_the_list_does_not_run(at: Driver, tmp_path: Path):
    at.run("endless")
    for _ in range(2):
        at.run("quick")
    at.dock.jobs.list.cellWidget(0, 1).click()
    assert at.promised == ["out-3.ome.zarr"] and len(at.listed) == 1
    at.cancel()
    at.until(lambda: at.state.is_idle)
    assert at.shown == ["out.ome.zarr", "out-3.ome.zarr"]
    assert not (tmp_path / "out-2.ome.zarr").exists()


@pytest.mark.slow
def test_a_crash_is_a_sentence_and_the_next_job_runs_in_a_new_process(at: Driver, tmp_path: Path):
    at.run("endless")
    at.until(lambda: at.state.phase == "running")
    pid = at.child.pid
    at.run("crashing")
    at.run("quick")
    at.cancel()
    at.until(lambda: at.state.is_idle)
    assert at.shown == ["out.ome.zarr", "out-3.ome.zarr"] and at.state.message.startswith("Done")
    assert at.child.pid not in (None, pid)
    [failed] = at.listed
    assert failed.startswith("CMU-1-Small-Region.svs · crashing · all tissue: The compute process ended unexpectedly")
    assert not (tmp_path / "out-2.ome.zarr").exists()
    at.dock.jobs.list.cellWidget(0, 1).click()
    assert at.listed == [] and not at.dock.jobs.list.isVisibleTo(at.dock)


@pytest.mark.slow
def test_what_is_wrong_with_a_job_to_come_does_not_touch_the_one_at_work(at: Driver):
    at.run("endless")
    at.until(lambda: at.state.phase == "running")
    at.dock.form.region = "shape"
    at.run("quick")
    assert at.state.failed and "Nothing is drawn" in at.state.message
    at.dock.fields.folder_asked.emit("somewhere")
    assert at.state.failed and "somewhere" in at.state.message
    assert at.state.phase == "running" and at.promised == []
    at.dock.form.region = "tissue"
    assert at.state.message == ""


@pytest.mark.slow
def test_a_long_list_leaves_run_on_a_small_screen_and_goes_with_the_window(at: Driver, tmp_path: Path):
    at.viewer.window.show()
    at.run("endless")
    for _ in range(9):
        at.run("quick")
    at.until(lambda: at.state.phase == "running")
    assert len(set(at.promised)) == 9 and len(at.listed) == 9

    def fits() -> bool:
        window, jobs = at.viewer.window._qt_window, at.dock.jobs
        bottom = at.dock.run.mapTo(window, at.dock.run.rect().bottomLeft()).y()
        return jobs.list.isVisible() and jobs.list.height() < 140 and 0 < bottom <= window.height() <= 800

    at.until(fits)  # once the layout knows of the list
    at.viewer.close()
    at.until(lambda: at.child.pid is None)
    assert at.queue.waiting == []
    assert not (tmp_path / "out-2.ome.zarr").exists()


def test_one_folder_by_two_names_is_one(tmp_path: Path):
    (tmp_path / "b").mkdir()
    assert same_folder(tmp_path / "Out.ome.zarr", tmp_path / "b" / ".." / "out.ome.zarr")
    assert not same_folder(tmp_path / "out.ome.zarr", tmp_path / "out-2.ome.zarr")
