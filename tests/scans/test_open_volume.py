"""Volumes opened: voxels and places against nibabel and pydicom; what is none is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import Scan, Volume, open_input, open_scan, open_volume
from diffuscope.scans.formats.dicom.rtstruct import read_rtstruct

sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_series(
    folder: Path, voxels: np.ndarray, *, turn: np.ndarray | None = None, spacing=(2.5, 0.8, 0.7), uid: str = "1.2.3.4",
    slope: float = 1.0, intercept: float = -1024.0, modality: str = "CT", skip: tuple[int, ...] = (),
    instances: str | None = None,
) -> Path:  # fmt: skip
    """Write stored numbers (z, y, x) as DICOM, the files' names in no order."""
    along = np.eye(3) if turn is None else turn
    folder.mkdir(exist_ok=True)
    for z, plane in enumerate(voxels):
        if z in skip:
            continue
        one = pydicom.Dataset()
        one.SOPClassUID, one.SOPInstanceUID = pydicom.uid.CTImageStorage, f"{instances or uid}.{z + 1}"
        one.SeriesInstanceUID, one.StudyInstanceUID, one.FrameOfReferenceUID = uid, "1.2.3", "1.2.5"
        one.PatientName, one.PatientID, one.Modality, one.SeriesDescription = "Doe^J", "P1", modality, f"series {uid}"
        one.ImagePositionPatient = [f"{v:.8f}" for v in np.array([-20.0, 30.0, 5.0]) + along[:, 2] * spacing[0] * z]
        one.ImageOrientationPatient = [f"{v:.10f}" for v in (*along[:, 0], *along[:, 1])]
        one.PixelSpacing, one.SliceThickness = list(spacing[1:]), spacing[0]
        one.Rows, one.Columns = plane.shape
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.PixelRepresentation = 15, 0
        one.RescaleSlope, one.RescaleIntercept = slope, intercept
        one.PixelData = plane.astype("<u2").tobytes()
        one["PixelData"].VR = "OW"
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.save_as(folder / f"{(z * 7) % 31:02d}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture
def numbers() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (6, 9, 8)).astype(np.uint16)


@settings(max_examples=25)
@given(
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    order=st.permutations(range(3)),
    tilt=st.tuples(*[st.floats(-0.15, 0.15)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 6)] * 3),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_a_nifti_lies_where_nibabel_says(tmp_path_factory, signs, order, tilt, spacing, origin):
    axes = (np.eye(3)[:, order] * signs) * spacing
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(tilt).as_matrix() @ axes
    affine[:3, 3] = origin
    stored = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)  # nibabel's order is x, y, z
    path = tmp_path_factory.mktemp("nifti") / "v.nii.gz"
    nibabel.save(nibabel.Nifti1Image(stored, affine), path)
    volume = open_volume(path)
    # To nibabel's LPS-oriented image, the same voxels at the same places.
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    )
    expected = nibabel.load(path).as_reoriented(turn)
    np.testing.assert_array_equal(np.asarray(volume.voxels).T, np.asarray(expected.dataobj))
    for index in ((0, 0, 0), tuple(side - 1 for side in volume.shape)):
        there = RAS @ expected.affine @ (*index[::-1], 1.0)
        np.testing.assert_allclose(volume.lattice.place(index), there[:3], atol=1e-3)


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha", ".mhd"])
def test_other_files_hold_the_same(tmp_path, ending):
    voxels = np.random.default_rng(0).integers(-1000, 2000, (4, 5, 6)).astype(np.int16)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.75, 3.0))
    sitk.WriteImage(image, str(tmp_path / f"v{ending}"))
    volume = open_volume(tmp_path / f"v{ending}")
    assert volume.dtype == np.int16 and volume.spacing == (3.0, 0.75, 0.5)
    np.testing.assert_array_equal(volume.voxels[:], voxels)


@pytest.mark.parametrize("turned", [False, True])
def test_a_series_is_in_order_and_in_hu(tmp_path, numbers, turned):
    turn = Rotation.from_rotvec([0.2, -0.1, 0.15]).as_matrix() if turned else np.eye(3)
    volume = open_volume(write_series(tmp_path / "ct", numbers, turn=turn))
    np.testing.assert_array_equal(volume.voxels[:], numbers.astype(int) - 1024)
    assert volume.format == "DICOM CT" and volume.dtype.kind == "i"
    assert volume.spacing == pytest.approx((2.5, 0.8, 0.7))
    np.testing.assert_allclose(np.array(volume.lattice.directions[::-1]).T, turn, atol=1e-8)
    one = open_volume(tmp_path / "ct" / "00.dcm")
    assert one.shape == volume.shape and one.fingerprint == volume.fingerprint


def test_slices_from_the_head_down_come_from_the_feet_up(tmp_path, numbers):
    down = np.diag([1.0, -1.0, -1.0])  # rows run to the front, slices down
    volume = open_volume(write_series(tmp_path / "ct", numbers, turn=down))
    np.testing.assert_array_equal(volume.voxels[:], numbers[::-1, ::-1].astype(int) - 1024)
    np.testing.assert_allclose(volume.lattice.origin, (-20, 30 - 0.8 * 8, 5 - 2.5 * 5))


def test_a_slope_that_is_no_whole_number_gives_floats(tmp_path, numbers):
    volume = open_volume(write_series(tmp_path / "pet", numbers, slope=0.37, intercept=0.0, modality="PT"))
    assert volume.dtype == np.float32
    np.testing.assert_allclose(volume.voxels[:], numbers * 0.37, rtol=1e-6)


def test_what_is_no_whole_series_is_refused_in_one_sentence(tmp_path, numbers):
    gap = write_series(tmp_path / "gap", numbers, skip=(2, 3))
    two = write_series(tmp_path / "two", numbers[:3])
    write_series(two / "other", numbers[:4], uid="1.2.3.9", modality="MR")
    twice = write_series(tmp_path / "twice", numbers[:3])
    write_series(twice / "again", numbers[:3], instances="1.2.3.4.5")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.nii").write_text("no volume at all, but a text that goes on for a while" * 20)
    still = sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16))
    sitk.WriteImage(sitk.JoinSeries([still, still]), str(tmp_path / "time.nii"))
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5), np.int16)), str(tmp_path / "plane.mha"))
    colours = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "rgb.nrrd"))
    for path, words in (
        (gap, r"gap lacks 2 slice\(s\) between 07.dcm and 28.dcm"),
        (two, r"two holds 2 series: CT “series 1.2.3.4”, 3 slices .*; MR .*, 4 slices \(other/00.dcm\). Give one file"),
        (twice, r"twice has two slices in one place"),
        (tmp_path / "empty", r"empty is no volume"),
        (tmp_path / "none", r"none does not exist"),
        (tmp_path / "text.nii", r"text.nii cannot be read as a volume"),
        (tmp_path / "time.nii", r"time.nii holds 2 volumes, one after the other \(4D\)"),
        (tmp_path / "plane.mha", r"plane.mha is one plane"),
        (tmp_path / "rgb.nrrd", r"rgb.nrrd holds 3 value\(s\) a voxel"),
    ):
        with pytest.raises(InputError, match=words):
            open_volume(path)
    assert open_volume(two / "00.dcm").shape == (3, 9, 8)


def test_tilted_slices_are_refused(tmp_path, numbers):
    folder = write_series(tmp_path / "ct", numbers)
    for file in folder.iterdir():
        one = pydicom.dcmread(file)
        one.ImagePositionPatient[1] += 0.3 * (one.ImagePositionPatient[2] - 5)
        one.save_as(file)
    with pytest.raises(InputError, match="tilted gantry"):
        open_volume(folder)


def test_one_function_opens_slides_and_volumes(tmp_path, numbers):
    assert isinstance(open_input(sample_path("CMU-1-Small-Region.svs")), Scan)
    folder = write_series(tmp_path / "ct", numbers)
    assert isinstance(open_input(folder), Volume)
    with pytest.raises(InputError, match="states its spacing"):
        open_input(folder, mpp=0.5)
    with pytest.raises(InputError, match="folder"):
        open_scan(folder)


def test_a_real_series_has_the_voxels_and_the_tumour_of_its_nifti(shared):
    """The NIfTI are of the same patient, made by others and cropped to the overlap of CT and MR."""
    series = open_volume(shared / "data/dicom/STS_025/CT")
    cropped = open_volume(shared / "data/sarcoma-ct-mr/STS_025/ct.nii.gz")
    tumour = open_volume(shared / "data/sarcoma-ct-mr/STS_025/gtv.nii.gz")
    first = np.linalg.inv(series.lattice.affine) @ (*cropped.lattice.origin, 1)
    z, y, x = np.round(first[:3]).astype(int)
    np.testing.assert_allclose(first[:3], (z, y, x), atol=0.02)
    box = tuple(slice(s, s + n) for s, n in zip((z, y, x), cropped.shape, strict=True))
    np.testing.assert_array_equal(series.voxels[box], cropped.voxels[:])
    [drawn] = series.series.structures
    [(labels, _)] = read_rtstruct(drawn, series.series).layers
    labels = series.storage.show(labels)
    mine, theirs = labels[box] > 0, tumour.voxels[:] > 0
    assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.95
