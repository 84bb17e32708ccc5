"""Maps and previews are cut to what was drawn, as the stain is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

pytest.importorskip("napari")

from napari.components import ViewerModel
from stain_result import DRAWN, FACTOR, write_stain
from stained_slide import show

from diffuscope.engine.events import Preview
from diffuscope.plugin.layers.compare import picture_of
from diffuscope.plugin.layers.live import LiveLayers
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.result import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return write_stain(tmp_path_factory.mktemp("cut"))


def test_a_map_is_seen_where_the_stain_is_at_every_zoom(result: Result):
    stain, *maps = show(ViewerModel(), result.path)
    assert len(stain.data) > 1
    for number, level in enumerate(stain.data):
        opaque = np.asarray(level)[..., 3] > 0
        assert opaque.any() and not opaque.all()
        for one in maps:
            np.testing.assert_array_equal(np.isfinite(np.asarray(one.data[number])), opaque)
    # nothing of a map is lost inside
    stored = np.asarray(result.images["dab"][0])[..., 0]
    shown = np.asarray(maps[0].data[0])
    np.testing.assert_array_equal(shown[np.isfinite(shown)], stored[np.isfinite(shown)])
    assert np.isnan(shown[0, 0]) and np.isfinite(shown[300, 200])


def test_what_is_compared_has_no_holes(result: Result):
    _, dab, _ = show(ViewerModel(), result.path)
    for number, level in enumerate(picture_of(dab).levels):
        np.testing.assert_array_equal(np.asarray(level), np.asarray(result.images["dab"][number])[..., 0])


def preview_of(result: Result, first: int, image: np.ndarray, y: int, x: int) -> Any:
    viewer = ViewerModel()
    live = LiveLayers(viewer, result_layers(result)[first:])
    live.show_preview(Preview(y=y, x=x, image=image, step=1, steps=2))
    return viewer.layers[-1].data


@pytest.mark.parametrize(("y", "x"), [(-20, -30), (-20, 200), (400, 300)])
def test_a_preview_is_not_seen_beyond_the_outline(result: Result, y: int, x: int):
    colour = preview_of(result, 0, np.full((128, 128, 3), 7, np.uint8), y, x)
    density = preview_of(result, 1, np.full((128, 128, 1), 0.5, np.float32), y, x)
    rows, columns = (np.arange(128) + start + window for start, window in zip((y, x), result.window, strict=False))
    at = np.meshgrid((columns + 0.5) * FACTOR, (rows + 0.5) * FACTOR)
    inside = shapely.contains_xy(shapely.Polygon(DRAWN.polygon), *at)
    limits = zip((rows, columns), result.window[:2], result.window[2:], strict=True)
    on = [(one >= start) & (one < start + length) for one, start, length in limits]
    inside = inside & on[0][:, None] & on[1]
    assert inside.any() and not inside.all()
    np.testing.assert_array_equal(colour[..., 3] > 0, inside)
    np.testing.assert_array_equal(np.isfinite(density), inside)
    assert density.dtype == np.float32
