"""Packed voxels are unpacked at once; what is odd about a file is left to the reader that goes through it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.scans import open_volume

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("SimpleITK")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch):
    """Take away what goes through voxels block by block."""

    def none(*_):
        raise AssertionError("voxels that are right were gone through block by block")

    monkeypatch.setattr("diffuscope.scans.formats.volumes.stored.unpack", none)


def voxels(dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (7, 6, 5)).astype(dtype)


def nifti(folder: Path, dtype: str, slope: float = 1.0) -> Path:
    """Write a packed NIfTI, which lies as volumes are shown; its values are `slope` times its numbers."""
    image = nibabel.Nifti1Image(voxels(dtype), np.diag([-1.0, -1.0, 2.0, 1.0]))
    image.header.set_slope_inter(slope, 0.0)
    nibabel.save(image, folder / "v.nii.gz")
    return folder / "v.nii.gz"


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u4", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_every_type_of_number(tmp_path: Path, dtype: str, slope: float):
    path = nifti(tmp_path, dtype, slope)
    found = open_volume(path).voxels[:]
    expected = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(found, expected)
    assert found.flags.writeable


@pytest.mark.usefixtures("alone")
def test_the_stream_of_a_metaimage(tmp_path: Path):
    packed = zlib.compress(voxels("<i2").tobytes())
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nAnatomicalOrientation = RAI\nElementSpacing = 1 1 2\n"
        f"DimSize = 5 6 7\nCompressedDataSize = {len(packed)}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "v.mha").write_bytes(head.encode() + packed)
    np.testing.assert_array_equal(open_volume(tmp_path / "v.mha").voxels[:], voxels("<i2"))


@pytest.mark.parametrize("odd", ["parts", "padded"])
def test_what_is_odd_but_whole_is_read_as_before(tmp_path: Path, odd: str):
    path = nifti(tmp_path, "<i2")
    raw, right = gzip.decompress(path.read_bytes()), open_volume(path).voxels[:].copy()
    parts = [raw[:500], raw[500:]] if odd == "parts" else [raw]
    path.write_bytes(b"".join(map(gzip.compress, parts)) + (b"\0" * 512 if odd == "padded" else b""))
    np.testing.assert_array_equal(open_volume(path).voxels[:], right)


@pytest.mark.parametrize("at", [-300, -6])
def test_a_byte_that_is_wrong_is_refused(tmp_path: Path, at: int):
    path = nifti(tmp_path, "<i2")
    data = bytearray(path.read_bytes())
    data[at] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read to its end"):
        open_volume(path).voxels[:]
