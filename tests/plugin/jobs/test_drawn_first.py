"""What computes stands while the processor draws a view that moves, and only then."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from napari.components import ViewerModel
from patience import MILLISECONDS
from vispy.util.event import EmitterGroup, Event

from diffuscope.plugin.jobs import drawn_first
from diffuscope.plugin.jobs.drawn_first import DrawnFirst
from diffuscope.plugin.layers.views.canvas import scene_canvas_of


class Computes:
    """Takes note of when it stands."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stand(self) -> bool:
        self.told.append("stand")
        return True

    def go_on(self) -> None:
        self.told.append("go on")


class Drawn:
    """A viewer without a window, a clock, and a canvas that draws when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, in_software: bool = True) -> None:
        self.now = 100.0
        self.viewer, self.child = ViewerModel(), Computes()
        self.canvas = SimpleNamespace(events=EmitterGroup(draw=Event))
        self.later: list[Callable[[], None]] = []
        monkeypatch.setattr(drawn_first, "is_drawn_in_software", lambda _: in_software)
        monkeypatch.setattr(drawn_first, "scene_canvas_of", lambda _: self.canvas)
        monkeypatch.setattr(drawn_first, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(drawn_first, "QTimer", SimpleNamespace(singleShot=lambda _, call: self.later.append(call)))
        self.first = DrawnFirst(self.viewer, self.child)

    def draw(self, seconds: float) -> None:
        self.canvas.events.draw()
        self.now += seconds
        for call in self.later:
            call()
        self.later.clear()

    def turn(self) -> list[str]:
        told, self.child.told = self.child.told, []
        return told


def test_it_stands_while_a_view_that_moves_is_drawn(qapp: Any, monkeypatch: pytest.MonkeyPatch):
    drawn = Drawn(monkeypatch)
    drawn.first.begin()
    drawn.draw(0.03)
    assert drawn.turn() == []  # nothing has moved: a picture that grows is drawn beside what computes it
    drawn.viewer.camera.zoom = 2
    assert drawn.turn() == ["stand"]
    drawn.draw(0.03)
    assert drawn.turn() == ["go on"]
    drawn.now += 0.2
    drawn.draw(0.03)
    assert drawn.turn() == ["stand", "go on"]
    drawn.now += 0.2
    drawn.draw(0.03)
    assert drawn.turn() == []  # it has been still for long
    drawn.viewer.dims.ndim = 3
    drawn.viewer.dims.set_range(0, (0, 10, 1))
    drawn.viewer.dims.set_current_step(0, 5)
    assert drawn.turn() == ["stand"]  # another slice
    drawn.first.end()
    assert drawn.turn() == ["go on"]
    drawn.viewer.camera.zoom = 3
    drawn.draw(0.03)
    assert drawn.turn() == []


def test_where_a_graphics_card_draws_nothing_stands(qapp: Any, monkeypatch: pytest.MonkeyPatch):
    drawn = Drawn(monkeypatch, in_software=False)
    drawn.first.begin()
    drawn.viewer.camera.zoom = 2
    drawn.draw(0.03)
    drawn.first.end()
    assert drawn.turn() == []


def test_a_view_that_moves_for_half_a_minute_is_drawn_beside_what_computes(qapp: Any, monkeypatch: pytest.MonkeyPatch):
    drawn = Drawn(monkeypatch)
    drawn.first.begin()
    start, stood = drawn.now, []
    while drawn.now < start + 60.0:  # one picture after another
        drawn.viewer.camera.zoom += 0.001
        drawn.draw(0.03)
        if "stand" in drawn.turn():
            stood.append(drawn.now - start)
        drawn.now += 0.001
    assert len(stood) > 0.9 * 30 / 0.031 and 29.9 < stood[-1] < 30.1
    drawn.now += 0.3  # a break, and it is drawn first again
    drawn.viewer.camera.zoom = 2
    assert drawn.turn() == ["stand"]


@pytest.mark.gui
def test_in_a_real_window_it_goes_on_once_the_view_is_drawn(
    make_napari_viewer: Callable[..., Any], qtbot: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drawn_first, "is_drawn_in_software", lambda _: True)
    viewer, child, draws = make_napari_viewer(show=True), Computes(), []
    first = DrawnFirst(viewer, child)
    first.begin()
    scene_canvas_of(viewer).events.draw.connect(lambda _: draws.append(len(child.told)))
    with qtbot.waitExposed(viewer.window._qt_window):
        viewer.camera.zoom = 2
    for zoom in (3, 4, 5):
        viewer.camera.zoom = zoom
        count = len(draws)
        qtbot.waitUntil(lambda count=count: len(draws) > count, timeout=MILLISECONDS)
    qtbot.waitUntil(lambda: child.told[-1] == "go on", timeout=MILLISECONDS)
    first.end()
    assert child.told[::2] == ["stand"] * (len(child.told) // 2)
    assert child.told[1::2] == ["go on"] * (len(child.told) // 2)
