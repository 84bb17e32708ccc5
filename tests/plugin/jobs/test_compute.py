"""One compute process a viewer: docks that share it, their jobs in one queue, and docks that are closed at work."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_models import MODELS
from patience import MILLISECONDS

from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from napari.utils.notifications import notification_manager

from diffuscope.plugin.docks.nanoparticle import NanoparticleDock
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.docks.train import TrainDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.compute import Compute, compute_of
from diffuscope.plugin.jobs.job import Job, verb
from diffuscope.plugin.layers.live import PREVIEW
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.results.result import open_result

DOCKS = ("Virtual staining", "Nanoparticle distribution", "Modality translation", "Train", "Register", "Evaluate")


class Dock:
    """As much of a dock as its compute process knows."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def start(self, job: Job) -> None:
        self.begun.append(job.text)

    def refresh(self) -> None:
        pass


def job(text: str, out: Path | None = None) -> Job:
    return Job(text=text, doing="", work=verb("nothing"), out=out)


def test_jobs_of_all_docks_wait_in_one_line(tmp_path: Path):
    child = Child("fake_verbs")
    compute, one, other = Compute(child), Dock(), Dock()
    for dock in (one, other):
        compute.join(dock)
    compute.submit(one, job("a"))
    compute.submit(other, job("b", tmp_path / "out"))
    compute.submit(one, job("c"))
    compute.submit(other, job("d"))
    assert (one.begun, other.begun) == (["a"], []) and compute.has_waiting(other)
    assert compute.is_promised(tmp_path / "x" / ".." / "OUT") and not compute.is_promised(tmp_path)
    compute.done(failure="went wrong")
    # what went wrong stays in sight where the dock's next job takes over its status line
    assert [entry.text for entry in compute.queue.entries] == ["a: went wrong", "c", "d"]
    assert (one.begun, other.begun) == (["a"], ["b"])
    # a dock that is closed takes with it what waits, not what others wait for
    compute.leave(one)
    assert [entry.text for entry in compute.queue.entries] == ["d"] and not child.is_closed
    compute.done()
    assert other.begun == ["b", "d"]
    compute.leave(other)
    assert child.is_closed


@pytest.mark.gui
def test_all_docks_of_a_viewer_share_one_process_and_none_starts_it(make_napari_viewer: Callable[..., Any]):
    viewer, before = make_napari_viewer(), set(multiprocessing.active_children())
    docks = [viewer.window.add_plugin_dock_widget("diffuscope", name)[1] for name in DOCKS]
    computes = {id(dock.session.compute) for dock in docks}
    assert computes == {id(compute_of(viewer))}
    assert set(multiprocessing.active_children()) == before
    assert compute_of(make_napari_viewer()) is not compute_of(viewer)


def test_docks_their_samples_and_their_list_of_models_bring_no_torch_into_napari():
    code = (
        "import sys\n"
        "from diffuscope.plugin.docks import evaluate, nanoparticle, register, run, train, translation\n"
        "from diffuscope.plugin.jobs.run_session import known_models\n"
        "from diffuscope.plugin.layers.samples import cmu_1\n"
        "assert cmu_1() and 'stain-cd3-demo' in [model.name for model in known_models()]\n"
        "sys.exit(bool({'torch', 'diffusers', 'monai'} & set(sys.modules)))"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_process_that_computes_loads_no_viewer_no_compiler_and_no_more_of_scipy_than_it_uses():
    code = """
import importlib.util
import sys
import diffuscope.plugin.jobs.verbs
from diffuscope.diffusion.samplers import SAMPLERS, check_steps, make_sampler
from diffuscope.diffusion.schedule import linear_schedule
check_steps("ddim", linear_schedule(20), 5)
assert not {"diffusers", "scipy.stats"} & set(sys.modules)
for name in SAMPLERS:
    make_sampler(name, linear_schedule(20), 20)
assert {"diffusers", "torch"} <= set(sys.modules)
names = ("torch._dynamo", "napari.components", "scipy.signal", "pytorch_lightning")
print([m for m in names if m in sys.modules])
assert importlib.util.find_spec("torch._dynamo")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class At:
    """Two docks at a viewer with a slide, whose runs need no network."""

    def __init__(self, viewer: Any, qtbot: Any, folder: Path) -> None:
        self.viewer, self.qtbot, self.folder = viewer, qtbot, folder
        for data, about, _ in read_layers(str(sample_path("CMU-1-Small-Region.svs"))):
            viewer.add_image(data, **about)
        self.child = Child("fake_verbs")
        self.stain, self.train = StainDock(viewer, self.child), TrainDock(viewer)
        self.areas = [
            viewer.window.add_dock_widget(dock, name=name, area="right")
            for dock, name in ((self.stain, "Virtual staining"), (self.train, "Train"))
        ]
        for model in MODELS:
            self.stain.fields.add_model(model, choose=False)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=MILLISECONDS)

    def run(self, model: str) -> None:
        self.stain.form.out = str(self.folder / f"{model}.ome.zarr")
        self.stain.form.model = next(facts for facts in MODELS if facts.name == model)
        self.stain.run.click()

    def count(self, upto: int) -> None:
        """Have the other dock do something."""
        self.train.session.submit(
            Job(text="count", doing="Counting…", work=verb("count", upto=upto), on_end=lambda value: value)
        )


@pytest.fixture
def at(make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path) -> At:
    return At(make_napari_viewer(), qtbot, tmp_path)


@pytest.mark.gui
def test_the_process_is_started_once_there_is_something_to_run(at: At):
    assert not at.stain.form.problem() and at.stain.session.state.is_idle
    assert at.child.pid is not None and compute_of(at.viewer).child is at.child


@pytest.mark.slow
@pytest.mark.gui
def test_a_dock_waits_for_another_and_shows_for_what(at: At):
    at.run("endless")
    at.until(lambda: at.stain.session.state.phase == "running")
    at.count(3)
    state, jobs = at.train.session.state, at.train.jobs
    assert state.phase == "waiting" and jobs.run.text() == "Add to queue" and not jobs.cancel.isVisibleTo(at.train)
    assert jobs.elsewhere.text() == "At work for another dock: CMU-1-Small-Region.svs · endless · 2,220 × 2,967 px"
    assert [dock.jobs.list.item(0, 0).text() for dock in (at.train, at.stain)] == ["count", "count"]
    pid = at.child.pid
    at.stain.cancel.click()
    at.until(lambda: state.is_idle)
    assert (state.message, at.child.pid) == ("counted", pid) and not jobs.elsewhere.isVisibleTo(at.train)
    assert at.stain.session.state.message.startswith("Cancelled after")


@pytest.mark.slow
@pytest.mark.gui
def test_what_one_dock_computes_another_does_not_offer_to_go_on_with(at: At):
    other = NanoparticleDock(at.viewer)
    at.viewer.window.add_dock_widget(other, name="Nanoparticle distribution", area="right")
    at.run("endless")
    at.until(lambda: (at.folder / "endless.ome.zarr").exists() and at.stain.session.state.phase == "running")
    other.session.show_result(open_result(at.folder / "endless.ome.zarr"))
    button = other.results.resume
    assert button.isVisibleTo(other.results) and not button.isEnabled()
    at.stain.cancel.click()
    at.until(lambda: at.stain.session.state.is_idle)
    assert button.isEnabled()


def shut(at: At, name: str) -> None:
    """Close a dock as its button does, and let Python notice."""
    at.viewer.window.remove_dock_widget(at.areas.pop(0))
    getattr(at, name).deleteLater()
    setattr(at, name, None)
    gc.collect()


@pytest.mark.slow
@pytest.mark.gui
def test_a_dock_closed_at_work_goes_on_and_any_dock_can_cancel_it(at: At):
    at.run("endless")
    names = [layer.name for layer in at.viewer.layers]
    at.until(lambda: len(at.viewer.layers) > len(names))
    at.count(3)
    pid, session, jobs, told = at.child.pid, at.stain.session, at.train.jobs, []
    notification_manager.notification_ready.connect(told.append)
    shut(at, "stain")
    at.until(lambda: session.is_closed)
    assert [str(one.message) for one in told] == [
        "Virtual staining goes on without its dock. Open any dock of Diffuscope to cancel it."
    ]
    assert jobs.elsewhere.text().startswith("At work without its dock: CMU-1-Small-Region.svs · endless")
    assert jobs.cancel.isVisibleTo(at.train) and at.train.session.state.phase == "waiting"
    # how far it is, and its pause, are where they were: in whichever dock is there
    at.until(lambda: jobs.progress.text() != "")
    assert jobs.bar.isVisibleTo(at.train) and jobs.pause.isVisibleTo(at.train)
    jobs.pause.click()
    assert (jobs.pause.text(), session.state.phase) == ("Resume", "paused")
    jobs.pause.click()
    assert jobs.pause.text() == "Pause"
    jobs.cancel.click()
    assert jobs.cancel.text() == "Cancelling…" and not jobs.cancel.isEnabled()
    at.until(lambda: at.train.session.state.message == "counted")
    assert at.child.pid == pid and "Cancelled after" in str(told[-1].message)
    assert not jobs.cancel.isVisibleTo(at.train)
    # a result that can be gone on with, of which nothing is done that could be shown, and nothing else is left of it
    assert not open_result(at.folder / "endless.ome.zarr").complete
    assert [layer.name for layer in at.viewer.layers] == names
    shut(at, "train")
    at.until(lambda: at.child.pid is None)


@pytest.mark.slow
@pytest.mark.gui
def test_the_last_dock_closed_at_work_leaves_a_whole_result_and_no_process(at: At):
    at.run("quick")
    at.until(lambda: at.stain.session.state.is_at_work)
    names, session = [layer.name for layer in at.viewer.layers], at.stain.session
    shut(at, "stain")
    shut(at, "train")
    at.until(lambda: at.child.pid is None)
    assert session.is_closed and open_result(at.folder / "quick.ome.zarr").complete
    assert [layer.name for layer in at.viewer.layers if layer.name not in names] in ([], ["virtual"])
    assert PREVIEW not in [layer.name for layer in at.viewer.layers]


@pytest.mark.slow
@pytest.mark.gui
def test_what_a_closed_dock_had_queued_is_done_or_taken_off_the_list(at: At):
    at.count(10**6)
    at.until(lambda: at.train.session.state.is_at_work)
    at.run("quick")
    at.run("crashing")
    session = at.stain.session
    shut(at, "stain")
    at.until(lambda: session.is_closed)
    # the last of them is taken off the list by another dock
    assert at.train.jobs.list.rowCount() == 2
    at.train.jobs.list.cellWidget(1, 1).click()
    at.train.jobs.cancel.click()
    at.until(lambda: at.train.session.state.is_idle and not at.train.session.compute.is_busy)
    assert open_result(at.folder / "quick.ome.zarr").complete
    assert not (at.folder / "crashing.ome.zarr").exists() and not session.has_jobs
