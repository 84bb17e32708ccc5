"""MetaImage: values and places by SimpleITK or written out; units, other files and what is damaged."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffuscope.errors import InputError
from diffuscope.scans import open_volume

sitk = pytest.importorskip("SimpleITK")

VOXELS = np.random.default_rng(0).integers(-1000, 2000, (4, 6, 5)).astype(np.int16)  # (z, y, x)
DATA = VOXELS.astype("<i2").tobytes()
FIELDS = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "10 20 30",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "1.5 2 3",
    "DimSize": "5 6 4",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}


def write(path: Path, data: bytes = DATA, **changed: str | None) -> Path:
    """Write fields, with those that are changed or, None, left out; where the voxels lie comes last."""
    fields = FIELDS | changed
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    lines = [f"{key} = {value}" for key, value in fields.items() if value is not None]
    path.write_bytes(("\n".join(lines) + "\n").encode() + data)
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        open_volume(path).voxels[:]
    assert path.name in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("dtype", "kind"), [("i1", "CHAR"), ("u1", "UCHAR"), ("<i2", "SHORT"), (">u2", "USHORT"), ("<i4", "INT"),
                        (">i4", "LONG"), (">u4", "UINT"), ("<i8", "LONG_LONG"), ("<u8", "ULONG_LONG"),
                        (">f4", "FLOAT"), ("<f8", "DOUBLE")],
)  # fmt: skip
def test_values_in_every_type_packing_and_byte_order(tmp_path, dtype, kind):
    voxels = (VOXELS % 100).astype(dtype)
    data, msb = voxels.tobytes(), str(">" in dtype)
    packed = zlib.compress(data)
    about = {"ElementType": f"MET_{kind}", "BinaryDataByteOrderMSB": msb}
    text = " ".join(str(one) for one in voxels.ravel().tolist()).encode()
    for path in (
        write(tmp_path / "raw.mha", data, **about),
        write(tmp_path / "packed.mha", packed, CompressedData="True", CompressedDataSize=str(len(packed)), **about),
        write(tmp_path / "text.mha", text, BinaryData="False", **about),
    ):
        volume = open_volume(path)
        np.testing.assert_array_equal(volume.voxels[:], voxels)
        expected = np.float32 if "f" in dtype else np.dtype(dtype).newbyteorder("=")
        assert volume.dtype == volume.voxels[:].dtype == expected and volume.notices == ()
        if path.stem != "text":  # which SimpleITK does not read to its last number
            np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), voxels)
        assert volume.spacing == (3.0, 2.0, 1.5) and volume.lattice.origin == (10.0, 20.0, 30.0)


def test_an_oblique_volume_lies_where_simpleitk_put_it(tmp_path):
    turn = Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix()
    image = sitk.GetImageFromArray(VOXELS)
    image.SetSpacing((1.5, 2.0, 3.0))
    image.SetOrigin((10.0, 20.0, 30.0))
    image.SetDirection(turn.ravel().tolist())
    for ending in ("mha", "mhd", "nrrd", "nhdr"):
        sitk.WriteImage(image, str(tmp_path / f"v.{ending}"), useCompression=ending == "mhd")
        volume = open_volume(tmp_path / f"v.{ending}")
        stored = volume.storage.store_lattice(volume.lattice)
        for index in ((0, 0, 0), (3, 5, 4)):
            np.testing.assert_allclose(stored.place(index), image.TransformIndexToPhysicalPoint(index[::-1]), atol=1e-9)
        np.testing.assert_array_equal(volume.storage.store(volume.voxels[:]), VOXELS)
        assert volume.notices == ()


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_lost_its_end_is_refused_wherever_it_was_cut(tmp_path, packed):
    stored = zlib.compress(DATA) if packed else DATA
    about = {"CompressedData": str(packed), "CompressedDataSize": str(len(stored)) if packed else None}
    whole = write(tmp_path / "v.mha", stored, **about).read_bytes()
    for length in (0, 9, 100, len(whole) - len(stored), len(whole) - len(stored) // 2, len(whole) - 1):
        (tmp_path / "cut.mha").write_bytes(whole[:length])
        refused(tmp_path / "cut.mha", "lost its end|cannot be read|does not say|damaged")


def test_a_wrong_bit_of_packed_voxels_is_seen_by_their_checksum(tmp_path):
    stored = zlib.compress(DATA)
    for at in range(2, len(stored), 11):
        wrong = bytearray(stored)
        wrong[at] ^= 1 << at % 8
        refused(write(tmp_path / "v.mha", bytes(wrong), CompressedData="True"), "cannot be read to its end")


@pytest.mark.parametrize(("unit", "mm"), [("um", 1e-3), ("mm", 1.0), ("cm", 10.0), ("?", 1.0)])
def test_the_unit_counts(tmp_path, unit, mm):
    sizes, offset = (" ".join(str(one / mm) for one in numbers) for numbers in ((1.5, 2, 3), (10, 20, 30)))
    volume = open_volume(write(tmp_path / "v.mha", ElementSpacing=sizes, Offset=offset, DistanceUnits=unit))
    assert volume.spacing == pytest.approx((3.0, 2.0, 1.5)) and volume.lattice.origin == pytest.approx((10, 20, 30))


def test_a_scaling_that_the_header_states_is_done(tmp_path):
    about = {"ElementToIntensityFunctionSlope": "0.5", "ElementToIntensityFunctionOffset": "-1000"}
    volume = open_volume(write(tmp_path / "v.mha", **about))
    np.testing.assert_array_equal(volume.voxels[:], VOXELS * 0.5 - 1000)
    refused(write(tmp_path / "v.mha", ElementToIntensityFunctionSlope="0"), "which gives none")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"TransformMatrix": None}, "does not say how the patient lies"),
        ({"Offset": None}, "does not say where its first voxel lies"),
        ({"AnatomicalOrientation": "LAI"}, "run as LAI, and by its TransformMatrix they run as RAI"),
        ({"ElementSpacing": "1.5 -2 3"}, "negative size"),
    ],
)
def test_what_is_odd_is_told(tmp_path, changed, words):
    [notice] = open_volume(write(tmp_path / "v.mha", **changed)).notices
    assert words in notice


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ElementSpacing": None}, "does not say how large its voxels are"),
        ({"ElementSpacing": "0 1 1"}, "voxels of no size"),
        ({"ElementSpacing": "1 1"}, "2 numbers instead of 3"),
        ({"ElementSpacing": "980 980 3000"}, "which no scan has"),
        ({"ElementSpacing": "a b c"}, "that is no number"),
        ({"DistanceUnits": "furlong"}, "no unit of length that is known"),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0 0"}, "voxels of no size"),
        ({"TransformMatrix": "1 0 0 0.5 1 0 0 0 1"}, "is sheared"),
        ({"TransformMatrix": "nan 0 0 0 1 0 0 0 1"}, "numbers that are none"),
        ({"NDims": "2", "DimSize": "30 4"}, "one plane"),
        ({"NDims": "4", "DimSize": "5 6 2 2"}, r"2 volumes, one after the other \(4D\)"),
        ({"NDims": "7"}, "7 axes, and sizes of 3"),
        ({"NDims": "7", "DimSize": "5 6 4 1 1 1 1"}, "has 7 axes"),
        ({"DimSize": "5 6 0"}, "which no volume has"),
        ({"DimSize": "50000 60000 40000"}, "lost its end"),
        ({"DimSize": None}, "does not state its DimSize"),
        ({"ElementNumberOfChannels": "3"}, r"3 value\(s\) a voxel"),
        ({"ElementType": "MET_SHORT_ARRAY"}, "type “MET_SHORT_ARRAY”"),
        ({"ObjectType": "Mesh"}, "is a “Mesh” and no volume"),
        ({"CompressedData": "perhaps"}, "neither True nor False"),
        ({"CompressedData": "True", "BinaryData": "False"}, "written out, and packed"),
        ({"ElementDataFile": None}, "does not say where its voxels lie"),
        ({"ElementDataFile": "../v.raw"}, "outside its own folder"),
        ({"ElementDataFile": "/dev/zero"}, "outside its own folder"),
        ({"ElementDataFile": "none.raw"}, "there is no such file"),
        ({"ElementDataFile": "s%05d.raw 1 99999999 1"}, "names no files of 4 slices"),
        ({"ElementDataFile": "LIST"}, "lists 0 files"),
    ],
)
def test_a_header_that_cannot_be_gone_by_is_refused(tmp_path, changed, words):
    data = b"" if changed.get("ElementDataFile", "") in (None, "LIST") else DATA
    refused(write(tmp_path / "v.mhd", data, **changed), words)


@pytest.mark.parametrize("code", ["utf-8", "latin-1"])
@pytest.mark.parametrize("name", ["schädel.raw", "LISTE.raw", "list 2.raw", "LIST of slices.raw"])
def test_a_file_of_voxels_may_be_called_anything(tmp_path, name, code):
    (tmp_path / name).write_bytes(DATA)
    path = write(tmp_path / "a.mhd", b"", ElementDataFile=name)
    path.write_bytes(path.read_bytes().decode().encode(code))
    np.testing.assert_array_equal(open_volume(path).voxels[:], VOXELS)


def test_voxels_in_files_beside_their_header_are_read_and_count_for_the_fingerprint(tmp_path):
    planes = [plane.astype("<i2").tobytes() for plane in VOXELS]
    (tmp_path / "all.raw").write_bytes(b"head" + DATA)
    (tmp_path / "all.zraw").write_bytes(zlib.compress(DATA))
    for number, plane in enumerate(planes, start=1):
        (tmp_path / f"s{number}.raw").write_bytes(plane)
    names = "\n".join(f"s{number}.raw" for number in range(1, 5)).encode()
    for path in (
        write(tmp_path / "skip.mhd", b"", ElementDataFile="all.raw", HeaderSize="4"),
        write(tmp_path / "last.mhd", b"", ElementDataFile="all.raw", HeaderSize="-1"),
        write(tmp_path / "packed.mhd", b"", ElementDataFile="all.zraw", CompressedData="True"),
        write(tmp_path / "pattern.mhd", b"", ElementDataFile="s%d.raw 1 4 1"),
        write(tmp_path / "list.mhd", names, ElementDataFile="LIST"),
    ):
        np.testing.assert_array_equal(open_volume(path).voxels[:], VOXELS, err_msg=path.name)
    before = open_volume(tmp_path / "list.mhd").fingerprint
    (tmp_path / "s3.raw").write_bytes(planes[0])
    assert open_volume(tmp_path / "list.mhd").fingerprint != before
    refused(write(tmp_path / "three.mhd", b"s1.raw\ns2.raw\ns3.raw", ElementDataFile="LIST"), "not as many each")
    refused(write(tmp_path / "out.mhd", b"s1.raw\n../s2.raw", ElementDataFile="LIST"), "outside its own folder")


@pytest.mark.parametrize("number", ["nan", "inf", "-1e308", "1e200"])
@pytest.mark.parametrize("key", ["ElementSpacing", "Offset", "TransformMatrix"])
def test_numbers_beyond_all_reason_are_refused_without_a_word_of_numpy_s(tmp_path, key, number):
    words = {"ElementSpacing": "1 1 1", "Offset": "0 0 0", "TransformMatrix": "1 0 0 0 1 0 0 0 1"}[key].split()
    for place in range(len(words)):
        path = write(tmp_path / "v.mha", **{key: " ".join([*words[:place], number, *words[place + 1 :]])})
        # What would be a warning on the terminal is an error here, but where it is expected.
        with np.errstate(all="raise"), pytest.raises(InputError, match=r"v\.mha says with numbers"):
            open_volume(path)
