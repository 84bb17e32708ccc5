"""From a volume's file to a file again: runs over NIfTI and DICOM, what is exported of them, who reads it."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from standins import SYSTEMS, row
from typer.testing import CliRunner

import diffuscope as verbs
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.prepare import prepare
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.scans import open_volume
from diffuscope.scans.box import read_volume
from diffuscope.systems import registry

sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

CARD = {
    "title": "a stand-in",
    "what_it_is": "A test.",
    "what_it_is_not": "Anything else.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a stand-in's model folder by its name."""

    def make(name: str) -> Path:
        monkeypatch.setitem(registry._ROWS, name, row(SYSTEMS[name]))
        folder = tmp_path / name
        return folder if folder.exists() else save_model(folder, SYSTEMS[name](), name, {}, CARD)

    return make


def head(shape: tuple[int, int, int] = (9, 40, 36), *, low: float = -1000.0, seed: int = 0) -> np.ndarray:
    """An ellipsoid of texture between -100 and 200 in air; the first and the last two slices are all air."""
    rng = np.random.default_rng(seed)
    voxels = np.full(shape, low, np.float32) + rng.normal(0, 3, shape).astype(np.float32)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = (z / 0.6) ** 2 + (y / 0.8) ** 2 + (x / 0.8) ** 2 < 1
    voxels[inside] = rng.uniform(-100, 200, int(inside.sum()))
    return np.rint(voxels)


def write(path: Path, voxels: np.ndarray, *, spacing=(3.0, 1.0, 1.0), origin=(-30.0, 12.5, 70.0), turn=None) -> Path:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing[::-1])
    image.SetOrigin(origin)
    if turn is not None:
        image.SetDirection(np.asarray(turn, float).ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


def go(model: Path, source, out: Path, key: str, **options) -> np.ndarray:
    list(verbs.run(model, source, out, **{"device": "cpu", "threads": 1, **options}))
    return np.asarray(open_result(out).images[key][0])[..., 0]


def test_a_ct_is_clipped_to_the_port_s_hu_and_empty_slices_are_left_out(tmp_path, model):
    voxels = head()
    path = write(tmp_path / "ct.nii.gz", voxels.astype(np.int16))
    image = go(model("hounsfield"), path, tmp_path / "out", "copy")
    shown = image != -1000
    assert not shown[:1].any() and not shown[-1:].any() and shown[4].any()
    np.testing.assert_allclose(image[shown], np.clip(voxels, -200, 300)[shown], atol=1e-3)
    result = open_result(tmp_path / "out")
    assert result.place.spacing == (3.0, 1.0, 1.0) and result.tissue is None and result.table == []
    stated = result.record["inputs"]["ct"]
    assert stated["lattice"]["origin_lps_mm"] == pytest.approx([-30.0, 12.5, 70.0]) and "values" not in stated


def test_where_a_scan_has_no_number_a_map_made_of_it_has_none_in_every_export(tmp_path, model):
    """The network is given the lowest value there, and would make air of it."""
    voxels = head()
    path = write(tmp_path / "whole.nii.gz", voxels)
    voxels[3:6, 10:20, 5:15], voxels[5, 30, 30] = np.nan, np.inf
    gaps = ~np.isfinite(voxels)
    holed, folder = write(tmp_path / "holed.nii.gz", voxels), model("hounsfield")
    whole = go(folder, path, tmp_path / "whole", "copy", slices="0:9")
    image = go(folder, holed, tmp_path / "out", "copy", slices="0:9")
    np.testing.assert_array_equal(image, np.where(gaps, np.nan, whole))
    result = open_result(tmp_path / "out")
    [told] = [one for one in result.record["notices"] if "no number" in one]
    assert told.startswith("holed.nii.gz has 301 voxels") and told.endswith("are NaN there.")
    found = np.asarray(nibabel.load(export(result, tmp_path / "out.nii.gz")).dataobj).T
    known = np.where(image == -1000, np.nan, image)  # what the canvas is filled with
    np.testing.assert_allclose(found, known, atol=0.01)
    series = [pydicom.dcmread(one) for one in sorted(export(result, tmp_path / "out.dicom").iterdir())]
    padded = np.stack([one.pixel_array == one.PixelPaddingValue for one in series])
    np.testing.assert_array_equal(padded, np.isnan(known))
    part = go(folder, holed, tmp_path / "part", "copy", slices="4:6", region="3,8,20,25")
    np.testing.assert_array_equal(part, image[4:6, 8:33, 3:23])


def test_of_two_scans_nothing_is_known_where_one_has_no_number(tmp_path, model):
    files, gaps = {}, np.zeros((9, 40, 36), bool)
    for number, key in enumerate(("t1", "t2")):
        voxels = head(low=0.0, seed=number) + 150 * (number + 1)
        voxels[3, 18:22, 10 + 8 * number] = np.nan
        gaps |= np.isnan(voxels)
        files[key] = write(tmp_path / f"{key}.nii.gz", voxels)
    folder = model("brain")
    list(verbs.run(folder, files, tmp_path / "out", device="cpu", threads=1, slices="2:5"))
    for levels in open_result(tmp_path / "out").images.values():
        np.testing.assert_array_equal(np.isnan(levels[0][..., 0]), gaps[2:5])


def test_slices_and_a_region_are_what_the_whole_volume_has_there(tmp_path, model):
    path = write(tmp_path / "ct.nii.gz", head().astype(np.int16))
    folder = model("hounsfield")
    whole = go(folder, path, tmp_path / "whole", "copy", slices="0:9")
    part = go(folder, path, tmp_path / "part", "copy", slices="3:6", region="5,8,20,25")
    *_, end = verbs.run(folder, path, tmp_path / "told", device="cpu", threads=1, slices="3:6")
    assert open_result(tmp_path / "told").unit == end.unit
    assert part.shape == (3, 25, 20)
    np.testing.assert_array_equal(part, whole[3:6, 8:33, 5:25])
    record = open_result(tmp_path / "part").record
    assert "--slices 3:6" in record["command"] and record["parameters"]["slices"] == "3:6"


def test_two_mr_are_one_input_each_with_their_own_range_and_the_slices_around(tmp_path, model):
    files = {}
    for number, key in enumerate(("t1", "t2")):
        voxels = head(low=0.0, seed=number) + 150 * (number + 1)
        files[key] = write(tmp_path / f"{key}.nii.gz", voxels.astype(np.float32))
    folder = model("brain")
    image = go(folder, files, tmp_path / "out", "flair", slices="0:9", ranges={"t1": (100, 400), "t2": (200, 500)})
    scaled = [np.clip((open_volume(files[key]).voxels[:] - low) / 300, 0, 1) for key, low in (("t1", 100), ("t2", 200))]
    shown = image != -1
    np.testing.assert_allclose(image[shown], (scaled[0] + 2 * scaled[1])[shown], atol=1e-5)
    go(folder, files, tmp_path / "own", "flair")
    own = open_result(tmp_path / "own").record["inputs"]
    low, high = own["t1"]["values"]
    assert low < high and own["t2"]["values"] != own["t1"]["values"]
    moved = write(tmp_path / "moved.nii.gz", head(), origin=(-30.0, 12.5, 71.0))
    with pytest.raises(InputError, match="do not lie on one lattice"):
        verbs.run(folder, files | {"t2": moved}, tmp_path / "no")


def test_resumed_sent_to_a_worker_or_repeated_by_its_command_it_is_the_same(tmp_path, model, monkeypatch):
    files = {key: write(tmp_path / f"{key}.nii.gz", head(seed=n) + 1000) for n, key in enumerate(("t1", "t2"))}
    folder = model("brain")
    whole = go(folder, files, tmp_path / "whole", "flair")
    done: list[object] = []
    done.extend(
        verbs.run(folder, files, tmp_path / "out", device="cpu", threads=1, batch=1, cancelled=lambda: len(done) > 9)
    )
    assert not open_result(tmp_path / "out").complete
    np.testing.assert_array_equal(go(folder, files, tmp_path / "out", "flair", resume=True), whole)
    words = shlex.split(open_result(tmp_path / "whole").record["command"])
    words[2], words[words.index("-o") + 1] = str(folder), "again"
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, words[1:])
    assert found.exit_code == 0, found.output
    np.testing.assert_array_equal(np.asarray(open_result("again").images["flair"][0])[..., 0], whole)
    job = prepare(
        folder, files, tmp_path / "other", request=ComputeRequest(device="cpu", threads=1), seed=0,
        overwrite=False, resume=False,
        **dict.fromkeys(("region", "mpp", "quality", "sampler", "steps", "samples")),
    )  # fmt: skip
    tile = next(tile for tile in job.plan.tiles() if tile.index == (4, 0, 0))
    [answer] = job.work((tile,)).computed
    np.testing.assert_array_equal(answer.outputs["flair"].reshape(32, 32)[:24, :24], whole[4, :24, :24])


def test_a_volume_of_another_spacing_is_resampled_in_its_slices_only(tmp_path, model):
    path = write(tmp_path / "ct.nii.gz", head((4, 60, 50)).astype(np.int16), spacing=(5.0, 0.5, 0.5))
    image = go(model("hounsfield"), path, tmp_path / "out", "copy", slices="0:4")
    volume = open_volume(path)
    by = (1.0, 2.0, 2.0)
    expected = read_volume(volume.voxels, z=0, y=0, x=0, depth=4, height=30, width=25, factors=by)[..., 0]
    shown = image != -1000
    np.testing.assert_allclose(image[shown], np.clip(expected, -200, 300)[shown], atol=1e-3)
    out = verbs.finish(verbs.export(tmp_path / "out", tmp_path / "out.nii.gz")).path
    there = sitk.ReadImage(str(out))
    assert there.GetSpacing() == pytest.approx((1.0, 1.0, 5.0)) and there.GetSize() == (25, 30, 4)
    corner = there.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0))
    same = sitk.ReadImage(str(path)).TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0))
    np.testing.assert_allclose(corner, same, atol=1e-4)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    tilt=st.tuples(*[st.floats(-0.2, 0.2)] * 3),
    spacing=st.tuples(st.floats(0.98, 1.02), st.floats(0.98, 1.02), st.floats(0.98, 1.02)),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_an_exported_nifti_lies_on_its_input_whatever_its_directions(
    tmp_path_factory, model, order, signs, tilt, spacing, origin
):
    folder = tmp_path_factory.mktemp("turned")
    turn = Rotation.from_rotvec(tilt).as_matrix() @ (np.eye(3)[:, order] * signs)
    if np.linalg.det(turn) < 0:  # a mirror image is no direction for all formats
        turn[:, 0] *= -1
    voxels = head((12, 14, 13)).astype(np.int16)
    path = write(folder / "ct.nii.gz", voxels, spacing=spacing, origin=origin, turn=turn)
    list(verbs.run(model("hounsfield"), path, folder / "out", device="cpu", threads=1, slices="3:8", region="3,2,8,9"))
    before = nibabel.load(path)
    after = nibabel.load(verbs.finish(verbs.export(folder / "out", folder / "out.nii.gz")).path)
    assert after.shape == before.shape
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-3)
    found, given_voxels = np.asarray(after.dataobj), np.asarray(before.dataobj)
    computed = np.isfinite(found)  # never a value where nothing was computed, least of all air's
    assert computed.sum() == 5 * 8 * 9
    np.testing.assert_allclose(found[computed], np.clip(given_voxels, -200, 300)[computed], atol=1e-3)


def test_a_stack_has_the_size_of_its_voxels_and_ome_zarr_its_own(tmp_path, model):
    path = write(tmp_path / "ct.nrrd", head().astype(np.int16), spacing=(3.0, 0.98, 0.98))  # NIfTI has float32
    image = go(model("hounsfield"), path, tmp_path / "out", "copy", slices="2:6")
    with tifffile.TiffFile(verbs.finish(verbs.export(tmp_path / "out", tmp_path / "out.ome.tif")).path) as file:
        expected = np.where(image == -1000, np.nan, image)  # -1000: what the canvas is filled with
        np.testing.assert_array_equal(file.series[0].asarray().squeeze(), expected)
        text = file.ome_metadata
    for words in ('PhysicalSizeZ="3.0"', 'PhysicalSizeX="0.98"', 'PhysicalSizeZUnit="mm"', 'PositionZ="6.0"'):
        assert words in text, words
    again = open_result(verbs.finish(verbs.export(tmp_path / "out", tmp_path / "copy.ome.zarr")).path)
    np.testing.assert_array_equal(np.asarray(again.images["copy"][0])[..., 0], image)
    assert again.place.spacing == (3.0, 0.98, 0.98) and again.place.origin[0] == pytest.approx(6.0)


def test_a_derived_series_says_what_it_is_and_lies_where_its_source_lies(tmp_path, model, shared):
    source = shared / "data/dicom/STS_025/CT"
    image = go(model("hounsfield"), source, tmp_path / "out", "copy", slices="10:14")
    folder = verbs.finish(verbs.export(tmp_path / "out", tmp_path / "out.dicom", source=source)).path
    slices = sorted((pydicom.dcmread(file) for file in folder.iterdir()), key=lambda one: one.InstanceNumber)
    assert len(slices) == 4
    there = sorted(
        (pydicom.dcmread(file) for file in (source / "image").iterdir()), key=lambda one: one.ImagePositionPatient[2]
    )[10:14]
    for plane, mine, theirs in zip(image, slices, there, strict=True):
        assert list(mine.ImageType)[:2] == ["DERIVED", "SECONDARY"]
        assert "NOT FOR DIAGNOSIS" in mine.SeriesDescription and "synthetic" in mine.SeriesDescription
        assert (mine.Modality, mine.RescaleType) == ("CT", "HU")
        for name in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert mine[name].value == theirs[name].value
        assert mine.SeriesInstanceUID != theirs.SeriesInstanceUID and mine.SOPInstanceUID != theirs.SOPInstanceUID
        np.testing.assert_allclose(mine.ImagePositionPatient, theirs.ImagePositionPatient, atol=1e-4)
        np.testing.assert_allclose(mine.ImageOrientationPatient, theirs.ImageOrientationPatient, atol=1e-6)
        np.testing.assert_allclose(mine.PixelSpacing, theirs.PixelSpacing, atol=1e-6)
        values = mine.pixel_array * float(mine.RescaleSlope) + float(mine.RescaleIntercept)
        computed = plane != -1000  # what the canvas is filled with, which no file says of what was not computed
        np.testing.assert_allclose(values[computed], plane[computed], atol=0.5)
        assert set(mine.pixel_array[~computed]) == {mine.PixelPaddingValue} == {-32768}
    assert len({one.SOPInstanceUID for one in slices}) == 4 and len({one.SeriesInstanceUID for one in slices}) == 1
    back = open_volume(folder)
    np.testing.assert_array_equal(back.voxels[:], np.rint(np.where(image == -1000, image[image != -1000].min(), image)))
    other = shared / "data/dicom/STS_025/MR_T1"
    with pytest.raises(InputError, match="not the series that"):
        verbs.finish(verbs.export(tmp_path / "out", tmp_path / "other.dicom", source=other))
    assert not (tmp_path / "other.dicom").exists()


def test_a_series_of_free_values_keeps_them_in_sixteen_bits(tmp_path, model):
    files = {key: write(tmp_path / f"{key}.nii.gz", head(seed=n) + 1000) for n, key in enumerate(("t1", "t2"))}
    image = go(model("brain"), files, tmp_path / "out", "flair")
    back = open_volume(export(open_result(tmp_path / "out"), tmp_path / "out.dicom"))
    assert back.format == "DICOM MR" and back.dtype == np.float32
    computed = image != -1
    expected = np.where(computed, image, image[computed].min())
    np.testing.assert_allclose(back.voxels[:], expected, atol=float(np.ptp(image[computed])) / 65534)
    padding = [pydicom.dcmread(file) for file in (tmp_path / "out.dicom").iterdir()]
    assert sum((one.pixel_array == one.PixelPaddingValue).sum() for one in padding) == (~computed).sum() > 0
    np.testing.assert_allclose(back.lattice.affine, open_volume(files["t1"]).lattice.affine, atol=1e-5)


def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path, model, small_slide, tiny_model):
    path = write(tmp_path / "ct.nii.gz", head().astype(np.int16))
    folder = model("hounsfield")
    for given_model, source, options, words in (
        (folder, small_slide, {}, "small.ome.tif is no volume, but model hounsfield works on volumes"),
        (tiny_model, path, {}, "ct.nii.gz is a volume, but model untrained works on slides"),
        (folder, path, {"slices": "5:5"}, "slices 5:5 are empty or lie outside ct.nii.gz, which has slices 0:9"),
        (folder, path, {"slices": "5"}, "are not understood: give first:end"),
        (folder, path, {"region": "0,0 9,0 9,9"}, "give its region as a rectangle"),
        (folder, path, {"region": "90,90,5,5"}, "lies outside ct.nii.gz"),
        (folder, path, {"mpp": 0.5}, "states its spacing"),
        (folder, f"{path}#0", {}, "has no channels to choose"),
        (folder, path, {"ranges": {"ct": (0.0, 1.0)}}, "are taken as they are stored"),
    ):
        with pytest.raises(InputError, match=words):
            verbs.run(given_model, source, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    go(folder, path, tmp_path / "out", "copy", slices="4:5")
    for name, options, words in (
        ("a.nii.gz", {"layer": "none"}, "has no layer"),
        ("a.gif", {}, "has no ending"),
        ("a.nii.gz", {"source": path}, "keeps nothing of a DICOM source"),
        ("a.dicom", {"source": path}, "is no DICOM series"),
    ):
        with pytest.raises(InputError, match=words):
            verbs.finish(verbs.export(tmp_path / "out", tmp_path / name, **options))


def test_info_tells_of_a_volume_what_matters(tmp_path):
    path = write(tmp_path / "ct.nii.gz", head().astype(np.int16))
    lines = CliRunner().invoke(app, ["info", str(path)]).output
    for words in ("NIfTI", "36 x 40 x 9 voxels", "1 x 1 x 3 mm", "int16", "2:7 of 9 show more than background"):
        assert words in lines, lines
