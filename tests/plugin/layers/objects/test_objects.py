"""Outlines of what was counted against scikit-image on the whole canvas, and where a model was least sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from skimage.measure import label, regionprops
from stain_result import MPP, write_stain
from stained_slide import show

from diffuscope.measurement.measurements import measure
from diffuscope.measurement.stain_image import MIN_OBJECT_UM2
from diffuscope.plugin.layers.objects.outlines import Outlines
from diffuscope.plugin.layers.objects.places import look_at, most_uncertain
from diffuscope.ports.stains import find_stains
from diffuscope.results.result import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return write_stain(tmp_path_factory.mktemp("objects"))


def expected(result: Result, threshold: float) -> tuple[np.ndarray, int]:
    """Return the px of objects that have a side on what is none, and the number of objects."""
    dab = np.asarray(result.images["dab"][0])[..., 0]
    positive = (dab > threshold) & result.tissue.read(0, 0, *dab.shape)
    labels = label(positive, connectivity=2)
    counted = np.zeros(dab.shape, bool)
    large = [one for one in regionprops(labels) if one.area * MPP**2 >= MIN_OBJECT_UM2]
    for one in large:
        counted[tuple(one.coords.T)] = True
    around = np.pad(counted, 1)
    hidden = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return counted & ~hidden, len(large)


def test_the_outlines_are_those_of_what_is_counted_whatever_the_threshold(result: Result):
    [stain] = find_stains(result.ports)
    outlines = Outlines(result, stain, None, threshold=0.25, min_object_um2=MIN_OBJECT_UM2)
    finest = outlines.data[0] if outlines.about["multiscale"] else outlines.data
    edges, number = expected(result, 0.25)
    assert min(finest.shape) > 256 and number == measure(result)[0]["positive_objects"] > 20  # over several pieces
    np.testing.assert_array_equal(np.asarray(finest) > 0, edges)
    outlines.cut.threshold = 0.4
    outlines.draw()
    fewer, _ = expected(result, 0.4)
    np.testing.assert_array_equal(np.asarray(finest) > 0, fewer)
    assert 0 < fewer.sum() < edges.sum()


def test_the_outlines_lie_on_the_stain(result: Result):
    [stain] = find_stains(result.ports)
    outlines = Outlines(result, stain, None, threshold=0.25, min_object_um2=MIN_OBJECT_UM2)
    viewer = ViewerModel()
    drawn = viewer.add_image(outlines.data, **outlines.about)
    dab = show(viewer, result.path)[1]
    np.testing.assert_allclose(drawn.data_to_world((10, 20)), dab.data_to_world((10, 20)))
    assert drawn.name == "counted as CD3-positive" and len(dab.data) == (len(drawn.data) if drawn.multiscale else 1)


@pytest.mark.parametrize("side", [300, 1500])
def test_the_least_sure_places_come_first(side: int):
    values = np.full((side, side), 0.01, np.float32)
    values[:, side // 2 :] = np.nan
    for y, x, height in ((30, 40, 0.3), (200, 60, 0.9), (120, 100, 0.6)):
        values[y - 8 : y + 9, x - 8 : x + 9] = height
    levels = [values, values[::2, ::2], values[::4, ::4]]
    layer = ViewerModel().add_image(levels, multiscale=True)
    first, second, third, *_ = most_uncertain(layer)
    for found, place in ((first, (200, 60)), (second, (120, 100)), (third, (30, 40))):
        assert np.abs(np.subtract(found, place)).max() <= 10
    assert most_uncertain(ViewerModel().add_image(np.zeros((99, 99)))) == []


def test_a_place_is_brought_into_the_middle_and_closer_but_never_farther(result: Result):
    viewer = ViewerModel()
    dab = show(viewer, result.path)[1]
    viewer.camera.zoom = 1e-3
    look_at(viewer, dab, (100, 200))
    np.testing.assert_allclose(viewer.camera.center[-2:], dab.data_to_world((100, 200)))
    assert viewer.camera.zoom == pytest.approx(2 / dab.scale[-1])
    viewer.camera.zoom = 50.0
    look_at(viewer, dab, (0, 0))
    assert viewer.camera.zoom == 50.0


def test_a_place_of_a_volume_lies_in_a_slice():
    viewer = ViewerModel()
    values = np.zeros((6, 40, 40), np.float32)
    values[4, 10:20, 22:32] = 3.0
    layer: Any = viewer.add_image(values, scale=(2.0, 0.5, 0.5))
    [place, *_] = most_uncertain(layer)
    look_at(viewer, layer, place)
    assert viewer.dims.point[0] == 8.0 and np.abs(np.subtract(place[1:], (14.5, 26.5))).max() <= 1
