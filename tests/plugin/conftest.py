"""The plugin made known to napari, and a finished result without a model, made with the canvas alone."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lent import Lent
from patience import MILLISECONDS

import diffuscope.errors
from diffuscope.plugin.forms import out
from diffuscope.plugin.forms.forecast import rates
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.spared import Spared
from diffuscope.plugin.settings import kept, recent
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region


def pytest_runtest_logfinish() -> None:
    """Collect what is left of a viewer, which this thread must do.

    The OpenGL context that vispy keeps for each canvas stays the current one of this thread where another deletes it,
    and the next window that goes asks it: a segmentation fault.
    """
    gc.collect()


SLIDE_MPP, FACTOR = 0.25, 2.0
REGION = Region(x=104, y=208, width=1200, height=1000)


@pytest.fixture(scope="session", autouse=True)
def plugin() -> None:
    """Register the manifest before the first viewer, also where the package is not installed."""
    npe2 = pytest.importorskip("npe2")
    manager = npe2.PluginManager.instance()
    manager.discover()
    if "diffuscope" not in manager:
        manager.register(npe2.PluginManifest.from_file(Path(diffuscope.errors.__file__).with_name("napari.yaml")))
    # napari's fixture has each viewer read all manifests of the environment anew: a fifth of what a viewer takes.
    manager.discover = lambda **_: 0


@pytest.fixture(autouse=True)
def _viewers_are_made_without_what_none_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep napari from writing its settings at each that changes, and its welcome from all its shortcuts at each.

    A viewer changes dozens of both while it is made. No test reads that file or shows that welcome.
    """
    if "napari._qt.qt_viewer" in sys.modules:
        from napari._qt.widgets.qt_welcome import QtWelcomeWidget
        from napari.settings._base import EventedConfigFileSettings

        monkeypatch.setattr(EventedConfigFileSettings, "_maybe_save", lambda _self: None)
        monkeypatch.setattr(QtWelcomeWidget, "refresh", lambda _self, _event=None: None)


@pytest.fixture(autouse=True)
def _nothing_is_known_of_slides() -> None:
    """Know the samples that ship from test to test: each dock measures what it is given, and none judges when."""


@pytest.fixture(autouse=True)
def _nothing_is_remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a window remembers from run to run out of the user's folders, and one test's from another's."""
    folder = tmp_path_factory.mktemp("remembered")
    monkeypatch.setattr(rates, "rates_file", lambda: folder / "rates.json")
    monkeypatch.setattr(kept, "kept_file", lambda: folder / "docks.json")
    monkeypatch.setattr(recent, "recent_file", lambda: folder / "recent.json")
    monkeypatch.setattr(out, "results_folder", lambda: folder / "Documents" / "Diffuscope")


@pytest.fixture(autouse=True)
def _a_job_leaves_the_collector_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep out of its sight what was imported (see `pytest_collection_finish`), which the end of a job would undo.

    Each look through all of it is half a second, ten times in some tests. `test_spared.py` has it as it is.
    """
    if request.path.name != "test_spared.py":
        monkeypatch.setattr(Spared, "begin", lambda _self: None)


@pytest.fixture(autouse=True)
def _layers_go_without_a_look_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep napari from having the collector run whenever a layer goes, which it does for drivers of Windows."""
    if (canvas := sys.modules.get("napari._vispy.canvas")) is not None:
        monkeypatch.setattr(canvas, "gc", SimpleNamespace(collect=lambda: 0))


@pytest.fixture(autouse=True)
def _what_moves_moves_seldom(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let napari's sign of work move every three seconds: each of its pictures draws the whole window.

    `test_dock.py` has it as it is.
    """
    if request.path.name != "test_dock.py" and request.node.get_closest_marker("gui"):
        monkeypatch.setattr("diffuscope.plugin.panels.jobs._CALM", 1)


@pytest.fixture(scope="session")
def _process() -> Iterator[Child]:
    process = Child("known_verbs")
    yield process
    process.close()


@pytest.fixture
def compute(_process: Child, qtbot: Any) -> Iterator[Child]:
    """The compute process that all docks of a session share; what a dock left at work has ended before the next."""
    from qtpy.QtCore import QThreadPool

    lent = Lent(_process)
    yield lent
    lent.close()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=MILLISECONDS)


@pytest.fixture
def result_folder(tmp_path: Path) -> Path:
    """A result on a slide of 2000 × 3000 px at 0.25 µm/px; RGB (200, 100, 50), DAB 0.5 OD where computed."""
    plan = make_plan(shape=(2000, 3000), factors=(FACTOR, FACTOR), tile=288, overlap=32, region=REGION)
    ports = (
        Raster(name="virtual CD3", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0)),
        Raster(
            name="DAB",
            key="dab",
            kind="map",
            channels=("DAB",),
            mpp=0.5,
            range=(0.0, 1.5),
            dtype="float32",
            fill=0.0,
            colormap="magma",
        ),
    )
    record = {"command": "diffuscope run stain a.svs", "inputs": {"he": {"mpp": SLIDE_MPP, "mpp_stated": SLIDE_MPP}}}
    canvas = Canvas(
        tmp_path / "a.ome.zarr",
        plan=replace(plan, spacing=(SLIDE_MPP * FACTOR, SLIDE_MPP * FACTOR)),
        ports=ports,
        record=record,
    )
    colour = np.broadcast_to(np.float32([200, 100, 50])[:, None, None], (3, 288, 288))
    for tile in plan.tiles():
        canvas.write_tile(tile, {"ihc": colour, "dab": np.full((1, 288, 288), 0.5, np.float32)})
    assert canvas.finish()
    (tmp_path / "a.ome.zarr" / "table.csv").write_text("region,positive_objects\ndrawn,12\n")
    return tmp_path / "a.ome.zarr"
