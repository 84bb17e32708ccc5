"""A stain held against its slide in a real viewer: curtain, side by side, by turns and shining through, by keys."""

from __future__ import annotations

import gc
from contextlib import suppress
from math import ceil
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np
import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from asked_of_gl import asked_of_gl
from pytestqt.exceptions import TimeoutError as NotYet
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from stained_slide import PINK, show, write_both

from diffuscope.plugin.layers.views.pair import _with_files
from diffuscope.plugin.panels.views.divider import Divider
from diffuscope.plugin.panels.views.panel import ComparePanel
from diffuscope.plugin.panels.views.stage import BLINK, CURTAIN, OVER, SIDE, stage_of

pytestmark = pytest.mark.gui

RGB = QImage.Format.Format_RGBX8888


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return write_both(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def at(make_napari_viewer: Any, qtbot: Any, files: Any) -> SimpleNamespace:
    """A window with a slide and its stain; `panel` as in a dock."""
    viewer = make_napari_viewer(show=True)
    slide, result = files
    [he] = show(viewer, slide)
    stain, *maps = show(viewer, result.path)
    panel = ComparePanel(viewer)
    viewer.window.add_dock_widget(panel, name="panel")
    viewer.reset_view()
    native = viewer.window._qt_viewer.canvas.native

    def press(key: str) -> None:
        qtbot.keyClick(native, key)

    return SimpleNamespace(
        viewer=viewer, stage=stage_of(viewer), panel=panel, he=he, stain=stain, maps=maps, native=native, press=press
    )


def pinks(at: SimpleNamespace) -> np.ndarray:
    """Return in which columns of the picture the slide is seen in the middle row."""
    picture = at.viewer.screenshot(canvas_only=True, flash=False)
    row = picture[picture.shape[0] // 2, :, :3].astype(int)
    return np.abs(row - PINK).max(axis=1) < 12


def test_the_curtain_lets_the_slide_be_seen_left_of_its_line_only_which_is_dragged(at: SimpleNamespace, qtbot: Any):
    before = pinks(at)
    middle = len(before) // 2
    around = slice(middle - 60, middle + 60)
    assert not before[around].any()  # the stain covers the middle
    at.press("k")
    assert at.stage.mode == CURTAIN and at.panel.buttons[CURTAIN].isChecked()
    seen = pinks(at)[around]
    assert seen[:50].all() and not seen[70:].any()
    at.press("k")
    assert at.stage.mode == OVER and np.array_equal(pinks(at), before)

    # left of it no px of the result is worked on
    at.maps[0].visible = True
    at.stage.show(CURTAIN)
    width, height = at.viewer.window._qt_viewer.canvas._scene_canvas.physical_size
    with asked_of_gl() as commands:
        at.viewer.screenshot(canvas_only=True, flash=False)
    cut, draws = None, []
    for what, *about in commands:
        if about[:1] == ["glScissor"]:
            cut = tuple(about[1:])
        elif about == ["glDisable", "scissor_test"]:
            cut = None
        elif what == "DRAW":
            draws.append(cut)
    left = ceil(width / 2 - 0.5)
    right = (left, 0, width - left, height)
    assert draws.count(right) == 2 and set(draws) == {None, right}  # the stain and a map; all else as before
    assert draws[0] is None and draws[-1] is None

    # its line is dragged
    at.maps[0].visible = False
    line = at.native.findChild(Divider)
    assert line.isVisible() and line.height() == at.native.height()
    centre = at.viewer.camera.center
    qtbot.mousePress(line, Qt.MouseButton.LeftButton, pos=QPoint(7, 50))
    qtbot.mouseMove(line, QPoint(7 + 50, 50))
    qtbot.mouseRelease(line, Qt.MouseButton.LeftButton, pos=QPoint(7, 50))
    moved = at.stage.edge * at.native.width() - at.native.width() / 2
    assert moved == pytest.approx(50, abs=2)
    assert at.viewer.camera.center == centre  # what lies below was not panned
    middle = at.native.width() // 2
    seen = pinks(at)[middle - 20 : middle + 80]
    assert seen[:60].all() and not seen[80:].any()

    # what comes and goes behind it is behind it too
    clipped = len(at.stage._curtain.drawn)
    assert clipped == 1 + len(at.maps)
    at.viewer.layers.remove(at.maps[-1])
    assert len(at.stage._curtain.drawn) == clipped - 1


def test_what_lies_over_the_slide_is_put_aside_while_it_is_compared(at: SimpleNamespace, qtbot: Any):
    truth = at.viewer.add_image(np.zeros(at.he.data.shape, np.uint8), name="real", scale=at.he.scale, units=at.he.units)
    at.viewer.layers.move(at.viewer.layers.index(truth), 1)
    drawn = at.viewer.add_shapes(name="regions")
    at.viewer.layers.selection.active = at.stain
    before = pinks(at)
    around = slice(len(before) // 2 - 60, len(before) // 2 + 60)
    assert not before.any()
    at.press("k")
    seen = pinks(at)[around]
    assert seen[:50].all() and not seen[70:].any()
    assert at.he.visible and not truth.visible and drawn.visible
    at.press("q")
    qtbot.waitUntil(lambda: at.stain.opacity == 0.0, timeout=MILLISECONDS)
    assert not truth.visible and pinks(at)[around].all()
    at.press("g")  # everything else is hidden there, and comes back all the same
    assert not truth.visible
    at.press("g")
    assert truth.visible and np.array_equal(pinks(at), before)
    at.press("w")
    assert not truth.visible
    truth.visible = True  # by the user, who has the last word
    at.panel.opacity.setValue(20)
    assert truth.visible
    at.press("w")
    assert truth.visible
    truth.visible = False
    at.press("k")
    at.press("k")
    assert not truth.visible


def test_side_by_side_the_two_have_a_view_each_and_all_else_is_out_of_sight(at: SimpleNamespace):
    shapes = at.viewer.add_shapes(name="regions")
    at.maps[0].visible = True
    at.press("g")
    grid = at.viewer.canvas.grid
    assert at.stage.mode == SIDE and grid.enabled
    before, order = [at.he, at.stain, *at.maps, shapes], list(at.viewer.layers)
    places = {layer: grid.position(order.index(layer), order) for layer in (at.he, at.stain, at.maps[0])}
    assert places[at.he] == (0, 0) and places[at.stain] == places[at.maps[0]] == (0, 1)
    assert not shapes.visible and not at.maps[1].visible
    seen = pinks(at)
    assert seen[: len(seen) // 2].any() and not seen[len(seen) // 2 :].any()
    at.press("g")
    assert not grid.enabled and grid.shape == (-1, -1) and grid.stride == 1
    assert shapes.visible and at.maps[0].visible and not at.maps[1].visible and list(at.viewer.layers) == before

    at.stage.show(SIDE)
    for layer in (at.stain, *at.maps):
        at.viewer.layers.remove(layer)
    # with the last layer of the result all is as before
    assert at.stage.mode == OVER and at.stage.pair is None and not at.viewer.canvas.grid.enabled
    assert not at.panel.isVisible()


def test_side_by_side_they_are_on_the_screen_at_once_as_large_as_before(at: SimpleNamespace, qtbot: Any):
    def on_screen() -> int:
        """Return how many px of the slide are on the screen, without drawing anything for it."""
        window = at.viewer.window._qt_window
        # The image owns what the array looks at.
        image = at.native.screen().grabWindow(window.winId()).toImage().convertToFormat(RGB)
        picture = np.asarray(image.constBits())
        return int((np.abs(picture.reshape(-1, 4)[:, :3].astype(int) - PINK) < 12).all(axis=1).sum())

    drawn: list[Any] = []
    at.viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(drawn.append, position="last")
    at.viewer.camera.zoom /= 4  # the slide fits into half the canvas
    height, width = at.he.data.shape[:2]
    seen = 0
    for _ in range(3):  # what a dialog of another test covered for a moment Qt shows as it was before
        before = len(drawn)
        at.press("g")
        qtbot.waitUntil(lambda before=before: len(drawn) > before + 1, timeout=MILLISECONDS)
        px = at.viewer.camera.zoom * np.asarray(at.he.scale[-2:]) * at.native.devicePixelRatioF()
        whole = pytest.approx(np.prod(px * (height, width)), rel=0.05)
        with suppress(NotYet):
            qtbot.waitUntil(lambda whole=whole: on_screen() == whole, timeout=MILLISECONDS // 10)
        if (seen := on_screen()) == whole:
            break
        at.press("g")
    assert seen == whole


def test_the_stain_comes_and_goes_shines_through_and_is_hidden_by_keys(at: SimpleNamespace, qtbot: Any):
    at.press("q")
    assert at.stage.mode == BLINK
    qtbot.waitUntil(lambda: at.stain.opacity == 0.0, timeout=MILLISECONDS)
    qtbot.waitUntil(lambda: at.stain.opacity == 1.0, timeout=MILLISECONDS)
    qtbot.waitUntil(lambda: at.stain.opacity == 0.0, timeout=MILLISECONDS)
    at.press("q")
    assert at.stain.opacity == 1.0 and at.stain.visible

    at.maps[0].opacity = 0.6
    at.press("w")
    assert at.stain.opacity == 0.5 and at.maps[0].opacity == pytest.approx(0.3) and at.he.opacity == 1.0
    assert at.panel.opacity.value() == 50
    at.panel.opacity.setValue(20)
    assert at.stain.opacity == pytest.approx(0.2)
    at.press("w")
    assert at.stain.opacity == 1.0 and at.maps[0].opacity == pytest.approx(0.6)

    at.maps[0].visible = False
    at.maps[1].visible = True
    at.press("h")
    assert not any(layer.visible for layer in (at.stain, *at.maps)) and at.he.visible
    at.press("h")
    assert at.stain.visible and at.maps[1].visible and not at.maps[0].visible


def test_the_panel_says_which_slide_to_open(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    panel = ComparePanel(viewer)
    viewer.window.add_dock_widget(panel, name="panel")
    assert stage_of(viewer).pair is None
    show(viewer, files[1].path)
    assert panel.note.text() == "Open patient-7.tif to compare with it."
    show(viewer, files[0])
    assert panel.note.text().startswith("Keys: K curtain")


def test_a_key_without_a_result_does_nothing(make_napari_viewer: Any, files: Any, qtbot: Any):
    viewer = make_napari_viewer(show=True)
    show(viewer, files[0])
    stage = stage_of(viewer)
    for key in "kgqwh":
        qtbot.keyClick(viewer.window._qt_viewer.canvas.native, key)
    assert stage.mode == OVER and not viewer.canvas.grid.enabled


def test_a_viewer_shares_one_stage_and_takes_it_with_it(make_napari_viewer: Any):
    from napari.components import ViewerModel

    model = ViewerModel()
    model_stage = ref(stage_of(model))
    assert stage_of(model) is model_stage()
    del model
    gc.collect()
    assert model_stage() is None


def test_outlines_texts_and_rows_are_no_pictures_to_open():
    stated = {
        "ct": {"name": "a.nii.gz", "fingerprint": "1"},
        "outlines": {"name": "b.nii.gz", "roles": ["tumour"]},
        "report": {"name": "c.txt", "text": "No nodule."},
        "clinical": {"name": "d.csv", "row": {}},
    }
    assert [one["name"] for one in _with_files(stated)] == ["a.nii.gz"]
