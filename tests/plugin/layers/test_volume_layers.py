"""Volumes, outlines and results of volumes as layers: where they lie, in mm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_dicom import box, write_ct, write_structures

from diffuscope.errors import InputError
from diffuscope.plugin.layers.reader import get_reader, read_layers
from diffuscope.plugin.layers.results import result_layers
from diffuscope.ports.raster import Raster
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
    voxels = np.random.default_rng(0).integers(0, 900, (5, 12, 10)).astype(np.int16)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.75, 3.0))
    image.SetOrigin((10.0, 20.0, -30.0))
    sitk.WriteImage(image, str(tmp_path / "v.nii.gz"))
    return tmp_path / "v.nii.gz"


def test_a_nifti_is_one_layer_in_mm(file):
    assert get_reader(str(file)) is not None
    [(data, about, kind)] = read_layers(str(file))
    layer = napari.layers.Image(data, **about)
    assert kind == "image" and layer.data.shape == (5, 12, 10)
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
