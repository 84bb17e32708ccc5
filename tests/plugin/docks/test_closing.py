"""What becomes of a dock that is closed: Qt takes it apart, once no job is left that it hears of."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from typing import Any
from weakref import ref

import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.docks.evaluate import EvaluateDock
from diffuscope.plugin.docks.frame import closing
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.job import Job

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    """An empty viewer."""
    return make_napari_viewer()


def test_the_collector_never_has_it_to_itself(viewer: Any, qtbot: Any):
    area, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Evaluate")
    session, kept = dock.session, ref(dock)
    viewer.window.remove_dock_widget(area)
    del area, dock
    gc.collect()
    assert kept() is not None and not session.is_closed  # in whatever order it had been collected
    qtbot.waitUntil(lambda: session.is_closed, timeout=MILLISECONDS)
    if (left := kept()) is not None:  # a wrapper of nothing
        with pytest.raises(RuntimeError, match="already deleted"):
            left.parent()


def test_it_may_be_put_back_at_once(viewer: Any, qtbot: Any):
    area, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Evaluate")
    viewer.window.remove_dock_widget(area)
    viewer.window.add_dock_widget(dock, name="Evaluate")
    qtbot.wait(50)
    assert dock.parent() is not None and dock.session.has_dock and not dock.session.is_closed


def test_it_stays_while_a_job_of_its_is_at_work(
    viewer: Any, qtbot: Any, compute: Child, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(closing, "_PATIENCE", 10)
    may_end, ended = threading.Event(), []

    def work(_child: Child, _stop: threading.Event) -> Generator[Any, None, None]:
        while not may_end.wait(0.01):
            yield None

    dock = EvaluateDock(viewer, compute)
    viewer.window.add_dock_widget(dock, name="Evaluate")
    session = dock.session
    session.submit(Job(text="a", doing="", work=work, on_end=lambda _: ended.append(dock.isVisible()) or "done"))
    viewer.window.remove_dock_widget(dock)
    qtbot.wait(100)
    assert session.has_jobs and not session.is_closed
    may_end.set()
    qtbot.waitUntil(lambda: session.is_closed, timeout=MILLISECONDS)
    assert ended == [False]  # which a dock that is gone would not have told
