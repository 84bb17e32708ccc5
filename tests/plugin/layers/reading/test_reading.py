"""Maps of a result that can be read: colour bars with unit, a scale bar, ranges, and what is under the cursor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from asked_of_gl import asked_of_gl
from stain_result import DAB, MPP
from stained_slide import show, write_both

from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.reading.hover import number, told_at, value_at
from diffuscope.plugin.layers.reading.meaning import meaning
from diffuscope.plugin.layers.reading.ranges import fit
from diffuscope.plugin.layers.reading.viewer import reading_of, scale_bar_of
from diffuscope.plugin.layers.views.side import grid_of
from diffuscope.plugin.panels.views.panel import ComparePanel
from diffuscope.ports.shown import fitted

#: The record's threshold, OD.
THRESHOLD = 0.25


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return write_both(tmp_path_factory.mktemp("reading"))


@pytest.mark.gui
def test_each_map_has_a_bar_with_its_name_and_unit_and_there_is_a_scale_bar(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    assert not scale_bar_of(viewer).visible
    [he] = show(viewer, files[0])
    assert scale_bar_of(viewer).visible and not he.name_overlay.visible
    stain, dab, spread = show(viewer, files[1].path)
    assert [dab.name, spread.name] == ["DAB (OD)", "uncertainty (OD)"]
    for layer in (dab, spread):
        assert layer.colorbar.visible and layer.name_overlay.visible
        assert layer.colorbar.position == layer.name_overlay.position == "top_right"
    assert not stain.name_overlay.visible
    scale_bar_of(viewer).visible = False
    show(viewer, files[0])
    assert not scale_bar_of(viewer).visible  # who hides it is not asked again
    # other px in sight are nothing that the list of layers shows: at a pan it is not painted
    painted: list[Any] = []
    viewer.window._qt_viewer.layers.model().dataChanged.connect(lambda *changed: painted.append(changed))
    stain.refresh(extent=False, thumbnail=False)
    assert not painted
    stain.name = "renamed"
    assert painted


@pytest.mark.gui
def test_a_bar_that_was_hidden_stays_so_and_is_seen_with_its_layer_only(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer(show=True)
    reading_of(viewer)
    _, dab, _ = show(viewer, files[1].path)

    def corner() -> np.ndarray:
        picture = viewer.screenshot(canvas_only=True, flash=False)
        return picture[:130, -200:, :3]

    without = corner()
    dab.visible = True
    with_bar = corner()
    assert (with_bar != without).any(axis=2).mean() > 0.03
    dab.colorbar.visible = dab.name_overlay.visible = False
    dab.visible = False
    dab.visible = True
    assert not dab.colorbar.visible


@pytest.mark.gui
def test_what_letters_are_drawn_by_is_not_brought_to_the_graphics_card_at_each_drawing(
    make_napari_viewer: Any, files: Any
):
    viewer = make_napari_viewer(show=True)
    reading_of(viewer)
    show(viewer, files[0])
    _, dab, spread = show(viewer, files[1].path)
    dab.visible = spread.visible = True
    viewer.screenshot(canvas_only=True, flash=False)
    with asked_of_gl() as commands:
        viewer.screenshot(canvas_only=True, flash=False)
    assert sum(what == "DRAW" for what, *_ in commands) > 5
    assert not [about for what, *about in commands if what == "DATA" and np.ndim(about[-1]) > 2]  # no picture at all


@pytest.mark.gui
def test_what_comes_into_sight_is_read_before_the_picture_is_drawn(
    make_napari_viewer: Any, files: Any, monkeypatch: pytest.MonkeyPatch
):
    viewer = make_napari_viewer(show=True)
    reading_of(viewer)
    stain, *_ = show(viewer, files[1].path)
    viewer.camera.zoom /= 8
    viewer.screenshot(canvas_only=True, flash=False)
    read = stain.set_view_slice
    with asked_of_gl() as commands:
        monkeypatch.setattr(stain, "set_view_slice", lambda: (commands.append(("READ",)), read()))
        viewer.camera.zoom *= 8  # a finer level
        viewer.window._qt_viewer.canvas.native.grabFramebuffer()  # a screenshot would read first
    told = [what for what, *_ in commands if what in {"READ", "DRAW"}]
    assert told[0] == "READ" and told.count("READ") == 1


@pytest.mark.gui
def test_of_more_maps_than_have_room_the_topmost_have_their_bars(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    maps = [layer for _ in range(2) for layer in show(viewer, files[1].path)[1:]]
    for layer in maps:
        layer.visible = True

    def seen() -> list[bool]:
        assert [layer.colorbar.visible for layer in maps] == [layer.name_overlay.visible for layer in maps]
        return [layer.colorbar.visible for layer in maps]

    assert seen() == [False, False, True, True]
    wide = viewer.canvas.size
    viewer.canvas.size = (wide[0], 300)
    assert seen() == [False, False, False, True]
    viewer.canvas.size = wide
    assert seen() == [False, False, True, True]
    maps[3].visible = False
    assert seen() == [False, True, True, True]  # the last one is out of sight with its layer
    maps[2].colorbar.visible = maps[2].name_overlay.visible = False
    maps[3].visible = True
    assert seen() == [False, False, False, True]
    viewer.canvas.size = (1000, 1500)
    grid_of(viewer).enabled = True  # each in a view of its own
    assert grid_of(viewer).actual_shape(list(viewer.layers)) == (2, 3)
    assert seen() == [True, True, False, True]  # what was put away by hand does not come back
    # a bar is a quarter of its view's height at most, and name and bar go where they would cover the picture
    viewer.layers.selection = set(maps)
    sizes = lambda: {tuple(layer.colorbar.size) for layer in maps if layer.colorbar.visible}  # noqa: E731
    viewer.canvas.size = (600, 900)
    assert sizes() == {(14, 75)}
    viewer.canvas.size = (600, 500)  # of which each view has 167 px
    assert seen() == [False, False, False, False]
    viewer.canvas.size = (600, 900)
    assert seen() == [True, True, False, True]
    maps[1].colorbar.size = (14, 40)  # as long as the user made it
    viewer.canvas.size = (640, 900)
    assert sizes() == {(14, 80), (14, 40)}
    viewer.canvas.size = wide
    grid_of(viewer).enabled = False
    viewer.layers.remove(maps[3])
    assert seen()[:3] == [False, True, False]


@pytest.mark.gui
def test_in_small_views_of_a_grid_maps_have_names_and_what_is_selected_its_bar(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    maps = [layer for _ in range(2) for layer in show(viewer, files[1].path)[1:]]
    for layer in maps:
        layer.visible = True
    viewer.layers.selection.clear()

    def seen(what: str = "colorbar") -> list[bool]:
        return [getattr(layer, what).visible for layer in maps]

    viewer.canvas.size = (750, 900)
    grid_of(viewer).enabled = True
    assert grid_of(viewer).actual_shape(list(viewer.layers)) == (2, 3)  # 375 × 300 px each
    assert seen() == [False] * 4 and seen("name_overlay") == [True] * 4
    viewer.layers.selection = {maps[1]}
    assert seen() == [False, True, False, False]
    viewer.layers.selection = {maps[2]}
    assert seen() == [False, False, True, False] and seen("name_overlay") == [True] * 4
    viewer.canvas.size = (800, 1200)
    assert seen() == [True] * 4


@pytest.mark.gui
def test_a_bar_that_was_away_while_a_grid_was_divided_anew_comes_back(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    maps = [layer for _ in range(2) for layer in show(viewer, files[1].path)[1:]]
    for layer in maps:
        layer.visible = True
    viewer.layers.selection = {maps[0]}
    viewer.canvas.size = (750, 900)
    grid_of(viewer).enabled = True
    assert maps[0].colorbar.visible
    viewer.layers.selection.clear()
    assert not maps[0].colorbar.visible
    maps[1].visible = maps[2].visible = False  # four views of six are left
    viewer.layers.selection = {maps[0]}
    assert maps[0].colorbar.visible
    [bar] = [
        visual
        for overlay, visual in viewer.window._qt_viewer.canvas._layer_overlay_to_visual[maps[0]].items()
        if overlay is maps[0].colorbar
    ]
    assert bar.node.visible and bar.node.canvas is not None


@pytest.mark.gui
def test_of_maps_that_share_a_view_of_a_grid_as_many_have_bars_as_fit_there(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    maps = [layer for _ in range(2) for layer in show(viewer, files[1].path)[1:]]
    for layer in maps:
        layer.visible = True
    viewer.canvas.size = (600, 800)
    grid_of(viewer).stride = 3  # a stain and its two maps
    grid_of(viewer).enabled = True
    assert grid_of(viewer).actual_shape(list(viewer.layers)) == (1, 2)
    assert [layer.colorbar.visible for layer in maps] == [False, True, False, True]


@pytest.mark.gui
def test_the_status_bar_says_what_is_under_the_cursor(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    reading_of(viewer)
    [he] = show(viewer, files[0])
    _stain, dab, _ = show(viewer, files[1].path)
    viewer.layers.selection.active = he  # the slide below is selected, as while drawing
    viewer.mouse_over_canvas = True
    bar = viewer.window._qt_window.statusBar()
    viewer.cursor.position = tuple(dab.data_to_world((200, 200)))
    viewer.update_status_from_cursor()  # what napari does in a thread that it starts in no test
    assert viewer.status.startswith("DAB ") and viewer.status.endswith(" OD") and "· uncertainty " in viewer.status
    assert bar._status.text() == viewer.status
    # of another slide that lies over it nothing of this one is told
    other = viewer.add_image(np.zeros((4000, 4000), np.uint8), name="another slide", translate=(-1000.0, -1000.0))
    viewer.layers.selection.active = he
    viewer.update_status_from_cursor()
    assert "DAB" not in str(viewer.status)
    viewer.layers.remove(other)
    viewer.cursor.position = (-500.0, -500.0)
    viewer.update_status_from_cursor()
    assert "DAB" not in str(viewer.status) and "DAB" not in bar._status.text()  # beside the result napari says it


def test_what_is_told_of_a_place_is_what_was_written_there(files: Any):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    stain, *maps = show(viewer, files[1].path)
    positive = negative = 0
    corner = np.array(maps[0].data_to_world((0, 0)))
    window = files[1].window
    for y, x in np.random.default_rng(0).integers(150, 350, (20, 2)).tolist():
        place = corner + np.array([y, x]) * MPP
        value = float(np.float32(DAB[(window[0] + y) % 800, (window[1] + x) % 800]))
        sign = "positive" if value > THRESHOLD else "negative"
        expected = f"DAB {value:.2f} OD · {sign} · uncertainty {value / 4:.2f} OD"
        assert told_at([stain, *maps], place, None) == expected
        positive, negative = positive + (sign == "positive"), negative + (sign == "negative")
    assert positive and negative
    assert told_at([stain, *maps], corner - 10, None) == ""  # beside the result
    assert value_at(stain, corner + 200 * MPP, None).shape == (4,)


def test_numbers_have_the_digits_of_a_glance():
    assert [number(value) for value in (0.444, -5.0, 35.25, -163.4)] == ["0.44", "−5.00", "35.2", "−163"]


def test_a_range_is_as_long_as_nearly_all_values_need():
    values = np.concatenate([np.linspace(0, 0.62, 995), np.full(5, 9.0)])
    assert fitted(values, (0.0, 0.3), shorten=False) == 0.8
    assert fitted(values / 100, (0.0, 0.3), shorten=True) == pytest.approx(0.008)
    assert fitted(values / 100, (0.0, 0.3), shorten=False) == 0.3
    assert fitted(np.full(9, np.nan), (0.0, 0.3), shorten=True) == 0.3
    assert fitted(np.zeros(9), (0.0, 0.3), shorten=True) == 0.3  # nothing is known of the range of nothing
    above = np.mean(values > 0.8)
    assert above <= 0.005


def test_a_spread_is_shown_in_its_own_range_unless_a_user_chose_one(files: Any):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    _, dab, spread = show(viewer, files[1].path)
    dab.contrast_limits = (0.0, 0.7)
    for layer in (dab, spread):
        fit(layer)
    assert tuple(dab.contrast_limits) == (0.0, 0.7)
    low, high = spread.contrast_limits
    values = np.asarray(spread.data[0])
    assert low == 0.0 and 0.001 < np.nanmean(values > high) + 0.001 < 0.01 and high < 0.3
    spread.contrast_limits = (0.0, 0.3)
    spread.metadata[KEY]["complete"] = False
    fit(spread)
    assert tuple(spread.contrast_limits) == (0.0, 0.3)  # while a run fills it


def test_each_map_is_explained_in_a_sentence():
    stain = {"parameters": {"dab_threshold": 0.3, "samples": 4}, "inputs": {"he": {"name": "a.svs"}}}
    assert meaning("dab_cd3", stain) == "Optical density of DAB; above 0.3 OD a px counts as positive."
    assert "over 4 samples" in meaning("uncertainty", stain)
    one = {**stain, "parameters": {"dab_threshold": 0.3, "samples": 1}}
    assert "stain and segmentation of one sample disagree" in meaning("uncertainty", one)
    assert meaning("support", stain).startswith("Orange lies where a.svs does not explain")
    for key in ("divergence", "multimodal", "attention_uncertainty", "segmentation", "relevance", "mean"):
        assert meaning(key, stain).endswith(".") and "{" not in meaning(key, stain)
    assert meaning("ihc", stain) == ""


@pytest.mark.gui
def test_the_dock_explains_the_map_that_is_seen(make_napari_viewer: Any, files: Any):
    viewer = make_napari_viewer()
    panel = ComparePanel(viewer)
    viewer.window.add_dock_widget(panel, name="panel")
    _, dab, spread = show(viewer, files[1].path)
    assert not panel.legend.isVisibleTo(panel)
    dab.visible = True
    assert panel.legend.text().startswith("<b>DAB (OD)</b>: Optical density of DAB; above 0.25 OD")
    spread.visible = True
    assert panel.legend.text().startswith("<b>uncertainty (OD)</b>")
