"""NIfTI: values and places by nibabel; what is damaged or contradicts itself is refused or told, in one sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.scans import Volume, open_volume

nibabel = pytest.importorskip("nibabel")

AFFINE = np.diag([-1.5, -2.0, 3.0, 1.0])  # to the left and the back: as volumes are shown, nothing is turned
SHAPE = (5, 6, 4)
NUMBERS = np.random.default_rng(0).integers(-1000, 2000, SHAPE).astype(np.int16)


def write(path: Path, numbers: np.ndarray = NUMBERS, *, kind=nibabel.Nifti1Image, **header: object) -> Path:
    """Write numbers (x, y, z) by nibabel, then set fields of the header, which nibabel would not write so."""
    image = kind(numbers, AFFINE, dtype=numbers.dtype)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return change(path, **header)


def change(path: Path, **header: object) -> Path:
    """Set fields of a NIfTI-1 file, packed or not."""
    packed = path.name.endswith(".gz")
    data = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    fields = np.frombuffer(data, nibabel.nifti1.header_dtype, 1)
    for name, value in header.items():
        fields[name] = value
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def values(volume: Volume) -> np.ndarray:
    """Return the voxels as nibabel has them, (x, y, z)."""
    return np.asarray(volume.voxels[:]).T


def refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        open_volume(path).voxels[:]
    assert path.name in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_a_file_that_lost_its_end_is_refused_wherever_it_was_cut(tmp_path, name):
    data = write(tmp_path / name).read_bytes()
    path = tmp_path / f"cut-{name}"
    for length in (0, 1, 3, 20, *range(100, len(data) - 1, len(data) // 9), len(data) - 8, len(data) - 1):
        path.write_bytes(data[:length])
        refused(path, "cannot be read|lost its end")


def test_every_wrong_bit_of_a_packed_file_is_seen_by_its_checksum(tmp_path):
    data = write(tmp_path / "v.nii.gz").read_bytes()
    path = tmp_path / "flipped.nii.gz"
    # Of the first ten bytes only the mark and the method count; the others are flags, time and system.
    for at in (*range(3), *range(20, len(data), 7), *range(len(data) - 8, len(data))):
        wrong = bytearray(data)
        wrong[at] ^= 1 << at % 8
        path.write_bytes(wrong)
        with pytest.raises(InputError):
            open_volume(path).voxels[:]


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "u2", ">u4", "i4", ">f4", "f8", ">f8", "i8", "u8"])
def test_values_are_nibabel_s_in_every_type_and_byte_order(tmp_path, name, dtype):
    numbers = (NUMBERS % 100).astype(dtype)
    order = ">" if ">" in dtype else "<"
    image = nibabel.Nifti1Image(numbers, AFFINE, nibabel.Nifti1Header(endianness=order), dtype=np.dtype(dtype))
    nibabel.save(image, tmp_path / name)
    volume = open_volume(tmp_path / name)
    np.testing.assert_array_equal(values(volume), np.asarray(nibabel.load(tmp_path / name).dataobj))
    assert volume.voxels[:].dtype == volume.dtype and volume.notices == ()
    assert volume.dtype == (np.float32 if "f" in dtype else np.dtype(dtype).newbyteorder("="))


def test_nifti_2_and_a_header_beside_its_voxels_are_read(tmp_path):
    write(tmp_path / "two.nii.gz", kind=nibabel.Nifti2Image)
    write(tmp_path / "pair.hdr", kind=nibabel.Nifti1Pair)
    write(tmp_path / "pair2.hdr", kind=nibabel.Nifti2Pair)
    (tmp_path / "packed.nii").write_bytes(gzip.compress(write(tmp_path / "v.nii").read_bytes()))
    for name in ("two.nii.gz", "pair.hdr", "pair2.hdr", "packed.nii"):
        volume = open_volume(tmp_path / name)
        np.testing.assert_array_equal(values(volume), NUMBERS)
        assert volume.format == "NIfTI" and volume.spacing == (3.0, 2.0, 1.5) and volume.notices == ()
    before = open_volume(tmp_path / "pair.hdr").fingerprint
    voxels = bytearray((tmp_path / "pair.img").read_bytes())
    voxels[7] ^= 1
    (tmp_path / "pair.img").write_bytes(voxels)
    assert open_volume(tmp_path / "pair.hdr").fingerprint != before  # the voxels count, not the header alone
    (tmp_path / "pair.img").unlink()
    refused(tmp_path / "pair.hdr", "there is no such file")
    nibabel.save(nibabel.Spm99AnalyzeImage(NUMBERS, AFFINE), tmp_path / "old.hdr")
    refused(tmp_path / "old.hdr", "ANALYZE")


@pytest.mark.parametrize(
    ("slope", "intercept"), [(1, 0), (1, -1024), (2, 0), (0.37, -5.5), (-1, 0), (0, 0), (np.nan, np.nan)]
)
def test_a_scaling_is_done_as_nibabel_does_it(tmp_path, slope, intercept):
    path = write(tmp_path / "v.nii.gz", scl_slope=slope, scl_inter=intercept)
    volume = open_volume(path)
    np.testing.assert_allclose(values(volume), nibabel.load(path).get_fdata(), rtol=1e-6)
    scaled = (slope, intercept) not in ((1, 0), (0, 0)) and not np.isnan(slope)
    assert volume.dtype == (np.float32 if scaled else np.int16) and volume.notices == ()


def test_a_scaling_that_gives_no_values_is_refused_and_one_that_counts_for_nothing_told(tmp_path):
    refused(write(tmp_path / "v.nii", scl_slope=np.inf), "slope inf")
    refused(write(tmp_path / "v.nii", scl_slope=2, scl_inter=np.nan), "intercept nan")
    volume = open_volume(write(tmp_path / "v.nii", scl_slope=0, scl_inter=5))
    assert "an intercept of 5 and a slope of 0" in volume.notices[0]
    np.testing.assert_array_equal(values(volume), NUMBERS)


def test_what_is_no_number_stays_none_and_is_told(tmp_path):
    numbers = NUMBERS.astype(np.float32)
    numbers[0], numbers[1, 0, 0], numbers[1, 0, 1] = np.nan, np.inf, -np.inf
    for dtype in (np.float32, np.float64):
        volume = open_volume(write(tmp_path / "v.nii.gz", numbers.astype(dtype)))
        wrong = ~np.isfinite(numbers)
        np.testing.assert_array_equal(np.isnan(values(volume)), wrong)
        np.testing.assert_array_equal(values(volume)[~wrong], numbers[~wrong])
        [notice] = volume.notices
        assert "26 voxels (22 %)" in notice and "background" in notice
    large = numbers.astype(np.float64)
    large[2] = 1e300  # no float32 can hold it
    volume = open_volume(write(tmp_path / "v.nii", large))
    assert np.isnan(values(volume)[2]).all() and "50 voxels" in volume.notices[0]
    refused(write(tmp_path / "v.nii", np.full(SHAPE, np.nan, np.float32)), "holds no number at all")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"datatype": 32, "bitpix": 64}, "complex numbers"),
        ({"datatype": 128, "bitpix": 24}, "colours"),
        ({"datatype": 2304, "bitpix": 32}, "colours"),
        ({"datatype": 1536, "bitpix": 128}, "128-bit numbers"),
        ({"datatype": 1, "bitpix": 1}, "single bits"),
        ({"datatype": 99}, "does not know"),
        ({"datatype": 16}, "float32, and that a voxel has 16 bits"),
        ({"bitpix": 8}, "int16, and that a voxel has 8 bits"),
        ({"dim": (4, 5, 6, 2, 2, 1, 1, 1)}, r"2 volumes, one after the other \(4D\)"),
        ({"dim": (5, 5, 6, 2, 1, 2, 1, 1)}, r"2 value\(s\) a voxel"),
        ({"dim": (2, 5, 6, 1, 1, 1, 1, 1)}, "one plane"),
        ({"dim": (3, 5, -6, 4, 1, 1, 1, 1)}, "which no volume has"),
        ({"dim": (3, 5, 0, 4, 1, 1, 1, 1)}, "which no volume has"),
        ({"dim": (0, 5, 6, 4, 1, 1, 1, 1)}, "0 axes"),
        ({"dim": (9, 5, 6, 4, 1, 1, 1, 1)}, "9 axes"),
        ({"dim": (3, 5, 6, 5, 1, 1, 1, 1)}, "(lost|to) its end"),
        ({"dim": (3, 1400, 1000, 2000, 1, 1, 1, 1)}, "claims 5,600,000,352"),
        ({"vox_offset": 0}, "begin at byte 0"),
        ({"vox_offset": 352.5}, "begin at byte"),
        ({"vox_offset": np.nan}, "begin at byte nan"),
        ({"vox_offset": 1e9}, "(lost|to) its end"),
        ({"pixdim": (1, 0, 0, 0, 0, 0, 0, 0), "sform_code": 0, "qform_code": 1}, "voxels of no size"),
        ({"pixdim": (1, np.nan, 1, 1, 0, 0, 0, 0)}, "no numbers"),
        ({"srow_x": (np.nan, 0, 0, 0), "qform_code": 0}, "sform with numbers that are none"),
        ({"srow_x": (0, 0, 0, 0), "qform_code": 0}, "voxels of no size"),
        ({"quatern_b": np.inf, "sform_code": 0, "qform_code": 1}, "qform with numbers that are none"),
        ({"quatern_b": 7, "sform_code": 0, "qform_code": 1}, "numbers that are none"),
        ({"xyzt_units": 5}, "unit that NIfTI does not know"),
        ({"magic": b"abc"}, "ANALYZE"),
        ({"sizeof_hdr": 347}, "does not begin as a NIfTI"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_gone_by_is_refused(tmp_path, header, words):
    refused(write(tmp_path / "v.nii", **header), words)
    refused(write(tmp_path / "v.nii.gz", **header), words)


def test_display_hints_and_names_change_no_value(tmp_path):
    path = write(tmp_path / "v.nii", cal_max=100, cal_min=-5, descrip=b"\xff\xfe\0odd", intent_code=1005, toffset=9)
    volume = open_volume(path)
    np.testing.assert_array_equal(values(volume), NUMBERS)
    assert volume.notices == ()


def test_more_than_the_header_says_is_told(tmp_path):
    plain, packed = (write(tmp_path / name, dim=(3, 5, 6, 2, 1, 1, 1, 1)) for name in ("v.nii", "v.nii.gz"))
    for path in (plain, packed):
        np.testing.assert_array_equal(values(open_volume(path)), NUMBERS[..., :2])
    long = np.zeros((40, 40, 4), np.int16)
    for name in ("v.nii", "v.nii.gz"):
        [notice] = open_volume(write(tmp_path / name, long, dim=(3, 40, 40, 2, 1, 1, 1, 1))).notices
        assert "6,400 bytes more than its header says" in notice


@pytest.mark.slow
def test_a_small_file_that_would_fill_the_memory_is_refused_before_it_does(tmp_path):
    header = write(tmp_path / "v.nii", dim=(3, 1000, 1000, 1000, 1, 1, 1, 1)).read_bytes()[:352]
    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header)
        for _ in range(2000):
            file.write(bytes(10**6))
    assert path.stat().st_size < 10**7
    refused(path, "would unpack to 2 GB")
