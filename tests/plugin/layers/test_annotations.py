"""Annotations from QuPath as shapes: on the slide's px, wherever its layer lies, with names, classes and colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
from napari.components import ViewerModel

from diffuscope.plugin.forms.regions import layer_region
from diffuscope.plugin.layers.drawn.annotations import annotation_layers
from diffuscope.plugin.layers.reader import get_reader, read_layers

RING = [[800, 640], [1312, 660.5], [1300, 1100], [820, 1050], [800, 640]]
HOLE = [[900, 700], [910, 700], [910, 710], [900, 700]]


def write(path: Path, *more: Any, inner: tuple[Any, ...] = ()) -> Path:
    about = {"objectType": "annotation", "name": "Core", "classification": {"name": "Tumour", "color": [200, 0, 10]}}
    parts = [[RING], [[[10, 10], [30, 10], [30, 40], [10, 10]], *inner]]
    first = {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": parts}, "properties": about}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [first, *more]}), encoding="utf-8")
    return path


def slide_viewer(**moved: Any) -> ViewerModel:
    viewer = ViewerModel()
    ((data, about, _),) = read_layers(str(sample_path("CMU-1-Small-Region.svs")))
    viewer.add_image(data, **{**about, **moved})
    return viewer


def add(viewer: ViewerModel, path: Path) -> tuple[Any, list[str]]:
    ((data, about, kind),), notices = annotation_layers(path, viewer)
    assert kind == "shapes"
    return viewer.add_shapes(data, **about), notices


@pytest.mark.parametrize(
    "moved",
    [{}, {"translate": (300, -40), "rotate": 30, "shear": [0.2]}, {"scale": (0.002, 0.002), "units": ("mm", "mm")}],
)
def test_they_lie_on_the_px_that_they_outline(tmp_path: Path, moved: dict[str, Any]) -> None:
    viewer = slide_viewer(**moved)
    layer, notices = add(viewer, write(tmp_path / "a.geojson"))
    assert notices == [] and len(layer.data) == 2
    assert list(layer.features["name"]) == ["Core", "Core"] and list(layer.features["class"]) == ["Tumour"] * 2
    np.testing.assert_allclose(layer.edge_color[0], np.array([200, 0, 10, 255]) / 255, atol=1e-6)
    image = viewer.layers[0]
    for corner, (x, y) in zip(layer.data[0], RING[:-1], strict=True):
        px = image.world_to_data(layer.data_to_world(corner))
        assert tuple(px + 0.5) == pytest.approx((y, x), abs=1e-6)


def test_a_dock_runs_in_the_one_that_is_selected(tmp_path: Path) -> None:
    viewer = slide_viewer()
    layer, _ = add(viewer, write(tmp_path / "a.geojson"))
    layer.selected_data = {0}
    region = layer_region(layer, viewer.layers[0], [0.0, 0.0])
    np.testing.assert_allclose(region.polygon, RING[:-1], atol=1e-6)


def test_the_selected_slide_of_several(tmp_path: Path) -> None:
    viewer = slide_viewer()
    ((data, about, _),) = read_layers(str(sample_path("TCGA-CR-7395.svs")))
    second = viewer.add_image(data, **about)
    layer, _ = add(viewer, write(tmp_path / "a.geojson"))
    assert tuple(layer.scale) == tuple(second.scale)  # the newest is selected
    viewer.layers.selection.active = viewer.layers[0]
    assert tuple(add(viewer, tmp_path / "a.geojson")[0].scale) == tuple(viewer.layers[0].scale)
    viewer.layers.selection.clear()
    layer, notices = add(viewer, tmp_path / "a.geojson")
    assert tuple(layer.scale) == (1, 1)
    assert notices == [
        "a.geojson lies in px, since 2 slides are open and none is selected: select its slide, and open it again."
    ]


def test_without_a_slide_in_px_which_is_told(tmp_path: Path) -> None:
    _, notices = annotation_layers(write(tmp_path / "a.geojson"), None)
    assert notices == ["a.geojson lies in px, since no slide is open: open its slide first, and open it again."]


def test_holes_and_what_is_left_out_are_told(tmp_path: Path) -> None:
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}}
    pierced = write(tmp_path / "a.geojson", point, inner=([[20, 12], [22, 12], [22, 14], [20, 12]],))
    _, notices = annotation_layers(pierced, slide_viewer())
    assert notices == [
        "a.geojson: 1 × Point left out, which bounds no area.",
        "Holes are not drawn, and a run would compute them as well: Core of a.geojson.",
    ]


def test_of_very_many_the_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffuscope.plugin.layers.drawn.annotations._MOST", 2)
    cell = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [HOLE]},
        "properties": {"objectType": "detection"},
    }
    ((data, _, _),), notices = annotation_layers(write(tmp_path / "a.geojson", cell, cell), slide_viewer())
    assert len(data) == 2 and notices == ["a.geojson holds 3 objects: shown are its 1 annotations."]


def test_nothing_to_draw(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.geojson holds no outline with an area: draw one in QuPath"):
        annotation_layers(tmp_path / "a.geojson")


def test_the_reader_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    path = write(tmp_path / "a.geojson")
    assert get_reader(str(path)) is not None and get_reader("a.json") is None
    ((_, about, kind),) = read_layers(str(path))
    assert (kind, about["name"]) == ("shapes", "a")
    assert told == ["a.geojson lies in px, since no slide is open: open its slide first, and open it again."]
