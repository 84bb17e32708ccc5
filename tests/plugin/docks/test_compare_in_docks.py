"""In each dock that runs models a result is held against its inputs by the same keys, and its values are told.

The sample of the next dock is then seen without it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from nano_result import write_nano
from stained_slide import show, write_both
from volume_result import HU, write_result

from diffuscope.plugin.docks.nanoparticle import NanoparticleDock
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.docks.translation import TranslationDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.panels.views.stage import CURTAIN, OVER, SIDE
from diffuscope.results.result import Result
from diffuscope.sample_data import sample_path

pytestmark = pytest.mark.gui


def volume(folder: Path) -> tuple[Path, Result]:
    source = sample_path("sarcoma-STS_010-MR.nii.gz")
    told = {"parameters": {"seed": 7, "samples": 1, "region": None}}
    return source, write_result(folder / "ct.ome.zarr", source, ports=(HU,), slices=(2, 6), is_whole=True, record=told)


@pytest.mark.parametrize(
    ("dock_of", "write", "inputs", "told"),
    [
        (StainDock, write_both, 1, "DAB "),
        (NanoparticleDock, write_nano, 2, "predicted nanoparticles 7.00 · divergence d 0.4"),
        (TranslationDock, volume, 1, "virtual CT "),
    ],
    ids=["stain", "nanoparticles", "translation"],
)
def test_a_result_is_held_against_all_its_inputs(
    dock_of: Any,
    write: Callable[[Path], tuple[Path, Result]],
    inputs: int,
    told: str,
    make_napari_viewer: Any,
    qtbot: Any,
    tmp_path: Path,
    compute: Child,
):
    source, result = write(tmp_path)
    viewer = make_napari_viewer(show=True)
    dock = dock_of(viewer, compute)
    viewer.window.add_dock_widget(dock, name=dock.kind.title, area="right")
    assert not dock.compare.isVisibleTo(dock)
    given = show(viewer, source)
    made = show(viewer, result.path)
    viewer.layers.selection.active = made[0]
    assert dock.compare.isVisibleTo(dock)
    stage = dock.compare.stage
    assert set(stage.pair.inputs) == set(given) and len(given) == inputs and set(made) <= set(stage.pair.made)

    native = viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(native, "k")
    assert stage.mode == CURTAIN and len(stage._curtain.drawn) >= len(made)
    left, right = viewer.canvas.size[1] // 4, viewer.canvas.size[1] * 3 // 4
    curtained = viewer.screenshot(canvas_only=True, flash=False)
    qtbot.keyClick(native, "k")
    assert stage.mode == OVER
    whole = viewer.screenshot(canvas_only=True, flash=False)
    made[0].visible = False
    without = viewer.screenshot(canvas_only=True, flash=False)
    np.testing.assert_array_equal(curtained[:, right:], whole[:, right:])
    np.testing.assert_array_equal(curtained[:, :left], without[:, :left])
    made[0].visible = True

    qtbot.keyClick(native, "g")
    assert stage.mode == SIDE
    grid, order = viewer.canvas.grid, list(viewer.layers)
    assert {grid.position(order.index(layer), order) for layer in given} == {(0, 0)}
    assert grid.position(order.index(made[0]), order) == (0, 1)
    qtbot.keyClick(native, "g")

    middle = [side // 2 for side in (made[0].data[0] if made[0].multiscale else made[0].data).shape[: made[0].ndim]]
    viewer.mouse_over_canvas = True
    viewer.cursor.position = tuple(made[0].data_to_world(middle))
    viewer.update_status_from_cursor()
    assert str(viewer.status).startswith(told)


def test_a_sample_is_opened_into_a_view_of_its_own(make_napari_viewer: Any, qtbot: Any, tmp_path: Path, compute: Child):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    slide, result = write_both(tmp_path)
    before = [*show(viewer, slide), *show(viewer, result.path)]
    dock = TranslationDock(viewer, compute)
    viewer.window.add_dock_widget(dock, name=dock.kind.title, area="right")
    viewer.layers.selection.active = before[1]
    stage = dock.compare.stage
    stage.show(SIDE)
    stage.fade(0.5)
    viewer.camera.zoom *= 9
    dock.fields.sample.click()
    assert stage.mode == OVER and not viewer.canvas.grid.enabled and before[1].opacity == 1.0
    mr, ct = viewer.layers[-2:]
    assert list(viewer.layers) == [*before, mr, ct] and [one for one in viewer.layers if one.visible] == [mr, ct]
    # the middle one of 59 slices
    assert mr.data.shape[0] == 59 and dock.fields.region_text.text().startswith("Slice 29 (0 to 58)")
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].max(axis=2)
    edges = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert np.ptp(edges) == 0 and picture.max() > 200  # all of it lies within the picture

    nano = NanoparticleDock(viewer, compute)
    viewer.window.add_dock_widget(nano, name=nano.kind.title, area="right")
    nano.fields.sample.click()
    channels = [one for one in viewer.layers if one.visible]
    assert channels == list(viewer.layers[-3:]) and mr in viewer.layers
