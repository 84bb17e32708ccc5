"""Volumes, outlines and results of volumes as layers: where they lie, in mm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_dicom import box, write_ct, write_structures
from volume_result import HU, TILE, expected, write_result

from diffuscope.errors import InputError
from diffuscope.exports.shown import shown_port
from diffuscope.plugin.layers.live import LiveLayers
from diffuscope.plugin.layers.reader import get_reader, read_layers
from diffuscope.plugin.layers.reading.hover import told_at
from diffuscope.plugin.layers.reading.ranges import fit
from diffuscope.plugin.layers.results import result_layers
from diffuscope.ports.raster import Raster
from diffuscope.ports.shown import fitted
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.scans import open_volume
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

napari = pytest.importorskip("napari")
sitk = pytest.importorskip("SimpleITK")
pytest.importorskip("pydicom")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    voxels = np.random.default_rng(0).integers(0, 900, (5, 24, 28)).astype(np.int16)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.75, 3.0))
    image.SetOrigin((10.0, 20.0, -30.0))
    sitk.WriteImage(image, str(tmp_path / "v.nii.gz"))
    return tmp_path / "v.nii.gz"


def test_a_nifti_is_one_layer_in_mm(file):
    assert get_reader(str(file)) is not None
    [(data, about, kind)] = read_layers(str(file))
    layer = napari.layers.Image(data, **about)
    assert kind == "image" and layer.data.shape == (5, 24, 28)
    np.testing.assert_allclose(layer.scale, (3.0, 0.75, 0.5))
    np.testing.assert_allclose(layer.translate, (-30.0, 20.0, 10.0))
    assert {str(unit) for unit in layer.units} == {"millimeter"}
    low, high = layer.contrast_limits
    assert 0 <= low < 20 and 880 < high <= 900


def test_a_result_lies_on_its_input(file, tmp_path):
    volume = open_volume(file)
    plan = make_plan(
        shape=volume.shape,
        spacing=volume.spacing,
        factors=(1.0, 1.0, 1.0),
        tile=8,
        overlap=0,
        region=Region(3, 4, 6, 5),
        slices=(2, 4),
    )
    port = Raster(name="out", key="out", kind="map", channels=("out",), mpp=500.0, range=(0.0, 1.0), dtype="float32")
    record = {"inputs": {"ct": {"lattice": volume.lattice.to_json(), "mpp_stated": None}}}
    canvas = Canvas(tmp_path / "r.ome.zarr", plan=plan, ports=(port,), record=record)
    for tile in plan.tiles():
        canvas.write_tile(tile, {"out": np.full((1, 8, 8), 0.5, np.float32)})
    canvas.finish()
    [(data, about, _)] = result_layers(open_result(canvas.path))
    layer = napari.layers.Image(data, **about)
    assert layer.data.shape == (2, 5, 6) and (np.asarray(layer.data) == 0.5).all()
    np.testing.assert_allclose(layer.translate, (-30 + 2 * 3.0, 20 + 4 * 0.75, 10 + 3 * 0.5))


def test_what_was_not_computed_is_no_value_however_it_is_asked_for(file, tmp_path):
    slices, empty = (1, 5), (2,)
    result = write_result(tmp_path / "r.ome.zarr", file, slices=slices, empty=empty)
    (ct, *_), _, (labels, *_) = result_layers(result)
    known = expected(HU, open_volume(file).shape, slices, empty)[slice(*slices)]
    assert np.isnan(known).any() and np.isfinite(known).any()
    parts = np.s_[0, 1, (2, 5), (2, 5, 20), :, (..., 14), (slice(0, 4, 3), slice(3, 20, 3), 15), (-1, slice(2, 2))]
    for part in (..., np.int64(2), *parts):
        np.testing.assert_allclose(ct[part], known[part], rtol=1e-5, err_msg=str(part))
    np.testing.assert_allclose(np.asarray(ct), known, rtol=1e-5)
    stored = np.asarray(result.images["bytes"][0])[..., 0]  # whole numbers have no NaN
    np.testing.assert_array_equal(np.asarray(labels), stored)


def test_of_a_volume_that_fills_what_is_there_is_told_and_nothing_else(file, tmp_path):
    volume = open_volume(file)
    plan = make_plan(shape=volume.shape, spacing=volume.spacing, factors=(1.0, 1.0, 1.0), tile=TILE, overlap=0)
    record = {"inputs": {"mr": volume.to_json()}, "parameters": {"samples": 1}}
    canvas = Canvas(tmp_path / "r.ome.zarr", plan=plan, ports=(HU,), record=record)
    viewer = napari.components.ViewerModel()
    live = LiveLayers(viewer, result_layers(open_result(canvas.path)))
    [layer] = live.outputs
    viewer.layers.selection.active = layer
    viewer.mouse_over_canvas = True
    place = layer.data_to_world((1, 5, 5))
    viewer.cursor.position = place
    assert told_at(viewer.layers, place, None) == "not computed here"
    assert np.isnan(layer.data[1]).all()
    before = str(viewer.status)
    for tile in plan.tiles():
        if tile.corner[0] == 1:
            canvas.write_tile(tile, {"ct": np.full((1, TILE, TILE), 50, np.float32)})
    live.refresh()
    assert told_at(viewer.layers, place, None) == "virtual CT 50.0 HU"
    assert (layer.data[1] == 50).all() and np.isnan(layer.data[2]).all()
    assert "nan" in before and "50" in str(viewer.status)  # though the cursor rested


def test_a_range_is_of_what_was_computed(file, tmp_path):
    spread = replace(HU, key="uncertainty", name="uncertainty", range=(0.0, 110.0), fill=0.0)
    result = write_result(tmp_path / "r.ome.zarr", file, ports=(HU, spread), slices=(0, 5), empty=(1, 2, 3, 4))
    shown = shown_port(result, spread).range
    viewer = napari.components.ViewerModel()
    _, layer = [viewer.add_image(data, **about) for data, about, _ in result_layers(result)]
    fit(layer)
    known = expected(spread, open_volume(file).shape, (0, 5), (1, 2, 3, 4))
    assert shown == tuple(layer.contrast_limits) == (0.0, fitted(known, spread.range, shorten=True))


@pytest.mark.gui
def test_a_slice_that_was_not_computed_covers_no_scan(file, tmp_path, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    result = write_result(tmp_path / "r.ome.zarr", file, slices=(1, 5), empty=(3,))
    layers = read_layers(str(file))[0], result_layers(result)[0]
    scan, ct = (viewer.add_image(data, **about) for data, about, _ in layers)
    ct.colorbar.visible = ct.name_overlay.visible = False

    def picture(z: int) -> np.ndarray:
        viewer.dims.set_point(0, scan.data_to_world((z, 0, 0))[0])
        return viewer.screenshot(canvas_only=True, flash=False)

    seen = {z: picture(z) for z in (2, 3)}
    ct.visible = False
    assert np.array_equal(picture(3), seen[3]) and not np.array_equal(picture(2), seen[2])


def test_a_series_comes_with_the_outlines_drawn_on_it(shared):
    folder = shared / "data/dicom/STS_025/CT"
    assert get_reader(str(folder)) is not None
    (image, about, kind), (labels, drawn, other) = read_layers(str(folder))
    assert (kind, other) == ("image", "labels") and labels.shape == image.shape and labels.any()
    layer = napari.layers.Labels(labels, **drawn)
    np.testing.assert_allclose(layer.translate, about["translate"])
    assert len(layer.features["name"]) == int(labels.max())
    [mask] = (folder / "mask").iterdir()
    with pytest.raises(InputError, match="open the folder that has the series"):
        read_layers(str(mask))


def test_a_folder_without_slices_is_nobody_s(tmp_path):
    assert get_reader(str(tmp_path)) is None


def test_a_bad_structure_set_keeps_nothing_from_being_shown(tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    folder = write_ct(tmp_path / "ct")
    closed, box_of = "CLOSED_PLANAR", [(0.0, 9.0, 10), (2.0, 9.0, 10)]
    outlines = [(closed, box(x, 0, half, z)) for x, z, half in box_of]
    good = write_structures(
        folder, [("tumour", outlines[:1]), ("ptv", outlines), ("isocentre", [("POINT", [1, 2, 3])])]
    )
    good.rename(folder / "good.dcm")
    cut = write_structures(folder, [("other", outlines)])
    cut.write_bytes(cut.read_bytes()[:700])
    layers = read_layers(str(folder))
    assert [kind for *_, kind in layers] == ["image", "labels", "labels"]
    found = {}
    for data, about, kind in layers[1:]:
        layer = napari.layers.Labels(data, **about)
        assert kind == "labels" and data.shape == layers[0][0].shape
        np.testing.assert_allclose(layer.translate, layers[0][1]["translate"])
        found |= {name: int((data == n).sum()) for n, name in zip(*layer.features.values.T, strict=True)}
    assert found == {"tumour": 441, "ptv": 23 * 21}
    assert len(told) == 1
    assert "good.dcm: isocentre is not drawn" in told[0] and "rs.dcm" in told[0]
