"""What lies in a folder: copies, other objects, damaged files, files without a preamble; and how slices lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_dicom import DEPTH, ct, only, write_ct

from diffuscope.errors import InputError
from diffuscope.scans import open_volume
from diffuscope.scans.open_volume import is_volume

pydicom = pytest.importorskip("pydicom")


def without_preamble(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[132:])


def without_meta(file: Path, *, implicit: bool) -> None:
    one = pydicom.dcmread(file)
    with file.open("wb") as out:
        bare = pydicom.Dataset(one)
        pydicom.dcmwrite(out, bare, implicit_vr=implicit, little_endian=True, enforce_file_format=False)


@pytest.mark.parametrize("spoil", [without_preamble, lambda f: without_meta(f, implicit=True),
                                   lambda f: without_meta(f, implicit=False)])  # fmt: skip
def test_files_without_the_preamble_open(tmp_path, spoil):
    folder = write_ct(tmp_path / "ct")
    for file in folder.iterdir():
        spoil(file)
    np.testing.assert_array_equal(open_volume(folder).voxels[:], ct())
    np.testing.assert_array_equal(open_volume(folder / "007.dcm").voxels[:], ct())


@pytest.mark.parametrize("start", [b"", b"\x08\0", bytes(200), b"II*\0" + bytes(200), b"\x08\0\x05\0" + b"\xff" * 200])
def test_other_files_are_no_dicom(tmp_path, start):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.bin").write_bytes(start)
    assert not is_volume(tmp_path / "other")


def test_a_copy_of_a_slice_is_left_out_and_told(tmp_path):
    folder = write_ct(tmp_path / "ct")
    shutil.copy(folder / "003.dcm", folder / "003 (copy).dcm")
    volume = open_volume(folder)
    np.testing.assert_array_equal(volume.voxels[:], ct())
    assert volume.notices == ("003 (copy).dcm is a copy of 003.dcm (same SOPInstanceUID) and is left out.",)
    assert volume.fingerprint == open_volume(write_again(folder, tmp_path / "alone")).fingerprint


def write_again(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        if "copy" not in file.name:
            shutil.copy(file, to)
    return to


def test_a_copy_with_another_header_is_one_and_with_other_pixels_is_not(tmp_path):
    folder = write_ct(tmp_path / "ct")
    for file in list(folder.iterdir()):
        one = pydicom.dcmread(file)
        one.PatientName = "Else^Some"
        one.save_as(folder / f"copy of {file.name}")
    volume = open_volume(folder)
    np.testing.assert_array_equal(volume.voxels[:], ct())
    assert volume.notices[0].endswith(f"is left out, and {DEPTH - 1} more likewise.")
    one = pydicom.dcmread(folder / "003.dcm")
    one.PixelData = bytes(len(one.PixelData))
    one.save_as(folder / "copy of 003.dcm")
    with pytest.raises(
        InputError, match=r"^copy of 003\.dcm says that it is the same image as 003\.dcm .* other pixels"
    ):
        open_volume(folder)


def test_slices_that_an_anonymiser_gave_one_uid_are_no_copies(tmp_path):
    volume = open_volume(write_ct(tmp_path / "ct", SOPInstanceUID="1.2.3"))
    np.testing.assert_array_equal(volume.voxels[:], ct())
    assert not volume.notices


@pytest.mark.parametrize("modality", ["SEG", "RTDOSE"])
def test_what_is_no_scan_lies_beside_it_and_is_told(tmp_path, modality):
    folder = write_ct(tmp_path / "ct")
    one = pydicom.dcmread(folder / "000.dcm")
    one.Modality, one.SeriesInstanceUID, one.NumberOfFrames, one.BitsAllocated = modality, "1.2.3", 5, 1
    one.save_as(folder / "other.dcm")
    volume = open_volume(folder)
    np.testing.assert_array_equal(volume.voxels[:], ct())
    assert len(volume.notices) == 1 and f"(DICOM {modality}), which is not read" in volume.notices[0]
    with pytest.raises(InputError, match=r"^other\.dcm is a DICOM file, but no slice of a volume"):
        open_volume(folder / "other.dcm")


def test_reports_and_pictures_without_a_place_are_no_slices(tmp_path):
    folder = write_ct(tmp_path / "ct")
    one = pydicom.dcmread(folder / "000.dcm")
    del one.ImagePositionPatient
    one.SeriesInstanceUID, one.Modality = "1.2.3", "OT"
    one.save_as(folder / "screen.dcm")
    for tag in ("Rows", "Columns", "PixelData"):
        delattr(one, tag)
    one.SeriesInstanceUID, one.Modality = "1.2.4", "SR"
    one.save_as(folder / "report.dcm")
    np.testing.assert_array_equal(open_volume(folder).voxels[:], ct())


@pytest.mark.parametrize("cut", [300, 340, 700, 1000, 1200])
def test_a_file_that_lost_its_end_is_named(tmp_path, cut):
    folder = write_ct(tmp_path / "ct")
    whole = (folder / "007.dcm").read_bytes()
    (folder / "007.dcm").write_bytes(whole[:cut])
    with pytest.raises(InputError, match=r"^007\.dcm "):
        open_volume(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    folder = write_ct(tmp_path / "ct")
    os.mkfifo(folder / "pipe.dcm")
    assert open_volume(folder).shape == ct().shape
    assert not is_volume(folder / "pipe.dcm")


def test_thickness_that_is_no_distance_is_told(tmp_path):
    volume = open_volume(write_ct(tmp_path / "ct", SliceThickness=5))
    assert volume.spacing[0] == 3.0
    assert volume.notices == ("The slices of ct are 3 mm apart and 5 mm thick (000.dcm): the distance is used.",)


def test_one_slice_alone_must_say_how_thick_it_is(tmp_path):
    folder = write_ct(tmp_path / "ct", SliceThickness=None)
    for file in folder.iterdir():
        if file.name != "000.dcm":
            file.unlink()
    with pytest.raises(InputError, match=r"^000\.dcm is one slice and does not say its SliceThickness"):
        open_volume(folder)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "different ImageOrientationPatient .*000.dcm and 004.dcm"),
        ({"PixelSpacing": [1, 1.2]}, "different PixelSpacing"),
        ({"Rows": 28}, "different Rows"),
        ({"FrameOfReferenceUID": "1.2.3"}, "different FrameOfReferenceUID"),
        ({"Modality": "MR"}, "different Modality"),
        ({"ImagePositionPatient": [-32, -28, 9]}, r"two slices in one place \(003.dcm and 004.dcm\)"),
        ({"ImagePositionPatient": [-32, -28, 13]}, "at uneven distances"),
        ({"ImagePositionPatient": [-32, -27, 12]}, "tilted gantry"),
    ],
)
def test_slices_that_are_no_even_stack_are_refused(tmp_path, about, words):
    with pytest.raises(InputError, match=words):
        open_volume(write_ct(tmp_path / "ct", only(4, **about)))
