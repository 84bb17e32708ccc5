"""What was not computed is NaN in every file of a volume, in DICOM the padding that it declares; by other readers."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
import zarr
from made_dicom import DEPTH, HEIGHT, WIDTH, write_ct
from volume_result import BYTES, FREE, HU, expected, value, write_result

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.exports.computed import ComputedSlices
from diffuscope.results.result import Result, open_result
from diffuscope.scans import open_volume

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")

SHAPE, SLICES, EMPTY = (DEPTH, HEIGHT, WIDTH), (2, 6), (3,)
PORTS = {port.key: port for port in (HU, FREE, BYTES)}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Of four slices, the second and the left quarter of which were not computed."""
    source = write_ct(tmp_path_factory.mktemp("series") / "ct")
    return write_result(tmp_path_factory.mktemp("result") / "r.ome.zarr", source, slices=SLICES, empty=EMPTY)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    source = write_ct(tmp_path_factory.mktemp("series") / "ct")
    path = tmp_path_factory.mktemp("result") / "r.ome.zarr"
    return write_result(path, source, slices=(0, DEPTH), is_whole=True)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("key", PORTS)
def test_a_volume_file_has_nan_where_nothing_was_computed(result, tmp_path, ending, key):
    path = export(result, tmp_path / f"out{ending}", layer=key)
    if ending.startswith(".nii"):
        found = np.asarray(nibabel.load(path).dataobj).T
    else:
        found = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(PORTS[key], SHAPE, SLICES, EMPTY), atol=1e-4)


@pytest.mark.parametrize(("key", "number"), [("ct", -8192.0), ("flair", -16.0), ("bytes", -4096.0)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_itk_which_takes_a_stored_nan_for_0_reads_no_tissue_where_nothing_was_computed(
    result, tmp_path, key, number, ending
):
    """0 HU is water. The other values are what they are, by the header's intercept; ours reads NaN, as nibabel does."""
    path = export(result, tmp_path / f"out{ending}", layer=key)
    right = expected(PORTS[key], SHAPE, SLICES, EMPTY)
    by_itk = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_allclose(by_itk, np.where(np.isnan(right), number, right), atol=1e-3)
    np.testing.assert_allclose(np.asarray(nibabel.load(path).dataobj).T, right, atol=1e-3)
    np.testing.assert_allclose(open_volume(path).voxels[:], right, atol=1e-3)


@pytest.mark.parametrize("key", PORTS)
def test_a_series_declares_what_was_not_computed(result, tmp_path, key):
    port = PORTS[key]
    folder = export(result, tmp_path / "out.dicom", layer=key)
    found = {}
    for file in folder.iterdir():
        one = pydicom.dcmread(file)
        stored = one.pixel_array
        values = stored * float(one.RescaleSlope) + float(one.RescaleIntercept)
        values[stored == one.PixelPaddingValue] = np.nan
        assert one.PixelPaddingValue == (-32768 if port.unit == "HU" else 0)
        assert one.ImageComments.endswith("Pixels of PixelPaddingValue were not computed.")
        found[round(one.ImagePositionPatient[2] / 3.0)] = values
    assert sorted(found) == list(range(*SLICES))
    right = expected(port, SHAPE, SLICES, EMPTY)
    atol = {"ct": 0.5, "flair": 1e-4, "bytes": 0}[key]
    for z, values in found.items():
        np.testing.assert_allclose(values, right[z], atol=atol)
    back = open_volume(folder)
    computed = ~np.isnan(right[slice(*SLICES)])
    assert back.notices[0] == "out.dicom is no scan: a model computed it." and "PixelPaddingValue" in back.notices[1]
    lowest = np.nanmin(np.stack([found[z] for z in range(*SLICES)]))
    np.testing.assert_allclose(back.voxels[:][~computed], lowest, atol=1e-4)


def test_an_ome_tiff_and_an_ome_zarr_have_nan(result, tmp_path):
    right = {key: expected(port, SHAPE, SLICES, EMPTY)[slice(*SLICES)] for key, port in PORTS.items()}
    with tifffile.TiffFile(export(result, tmp_path / "out.ome.tif")) as file:
        for series, key in zip(file.series, PORTS, strict=True):
            np.testing.assert_allclose(series.asarray().squeeze(), right[key], atol=1e-4)
    folder = export(result, tmp_path / "out.ome.zarr")
    root = zarr.open_group(folder, mode="r")
    for key in PORTS:
        group = root if key == "ct" else root[key]
        np.testing.assert_allclose(np.asarray(group["0"])[0], right[key], atol=1e-4)
        assert {dataset["path"] for dataset in group.attrs["multiscales"][0]["datasets"]} == {"0"}
    again = open_result(folder)
    assert again.place == result.place and not ComputedSlices(again).is_whole
    twice = export(again, tmp_path / "again.nii", layer="ct")
    assert twice.read_bytes() == export(result, tmp_path / "first.nii", layer="ct").read_bytes()


def test_coarser_levels_hold_no_value_of_what_was_not_computed(tmp_path):
    """More than one level: a slice of 300 x 320 px."""
    image = sitk.GetImageFromArray(np.zeros((2, 300, 320), np.int16))
    sitk.WriteImage(image, str(tmp_path / "v.nii"))
    made = write_result(tmp_path / "r.ome.zarr", tmp_path / "v.nii", ports=(HU,), slices=(0, 2), empty=(1,))
    root = zarr.open_group(export(made, tmp_path / "out.ome.zarr"), mode="r")
    fine, coarse = (np.asarray(root[level])[0] for level in ("0", "1"))
    np.testing.assert_allclose(fine, expected(HU, (2, 300, 320), (0, 2), (1,)), atol=1e-4)
    blocks = fine.reshape(2, 150, 2, 160, 2).mean((2, 4))
    np.testing.assert_allclose(coarse, blocks, atol=1e-2)
    assert np.isnan(coarse[:, :, :6]).all() and not np.isnan(coarse[0, :, 6:]).any()


@pytest.mark.parametrize("key", PORTS)
def test_of_what_was_computed_whole_nothing_changes(whole, tmp_path, key):
    port = PORTS[key]
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    right = np.stack([value(port, z, y, x) for z in range(DEPTH)])
    found = np.asarray(nibabel.load(export(whole, tmp_path / "out.nii", layer=key)).dataobj).T
    assert found.dtype == np.dtype(port.dtype)
    np.testing.assert_allclose(found, right, atol=1e-4)
    assert nibabel.load(tmp_path / "out.nii").dataobj.inter == 0
    one = pydicom.dcmread(next(export(whole, tmp_path / "out.dicom", layer=key).iterdir()))
    assert "PixelPaddingValue" not in one
    exported = zarr.open_group(export(whole, tmp_path / "out.ome.zarr", layer=key), mode="r")["0"]
    assert exported.dtype == np.dtype(port.dtype)


def test_what_is_unknown_though_computed_is_refused_by_dicom(tmp_path):
    """As it was before anything was declared: NaN of a spread of one sample is no padding."""
    source = write_ct(tmp_path / "ct")
    made = write_result(tmp_path / "r.ome.zarr", source, ports=(FREE,), is_unknown=True)
    with pytest.raises(InputError, match="is unknown"):
        export(made, tmp_path / "out.dicom")


def test_a_result_of_before_is_taken_as_it_lies(result, tmp_path):
    old = shutil.copytree(result.path, tmp_path / "old.ome.zarr")
    shutil.rmtree(old / "coverage")
    found = np.asarray(nibabel.load(export(open_result(old), tmp_path / "out.nii", layer="ct")).dataobj).T
    right = expected(HU, SHAPE, SLICES, EMPTY)
    inside = slice(*SLICES)
    assert np.isnan(found[: SLICES[0]]).all() and np.isnan(found[SLICES[1] :]).all()
    np.testing.assert_allclose(found[inside], np.where(np.isnan(right[inside]), HU.fill, right[inside]), atol=1e-4)
