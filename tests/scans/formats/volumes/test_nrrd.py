"""NRRD: values and places by SimpleITK or written out; units, other files and what is damaged."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.scans import open_volume

sitk = pytest.importorskip("SimpleITK")

VOXELS = np.random.default_rng(0).integers(-1000, 2000, (4, 6, 5)).astype(np.int16)  # (z, y, x)
FIELDS = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "5 6 4",
    "space directions": "(1.5,0,0) (0,2,0) (0,0,3)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(10,20,30)",
}


def write(path: Path, data: bytes = VOXELS.astype("<i2").tobytes(), **changed: str | None) -> Path:
    """Write fields, with those that are changed or, None, left out; `_` in a name is a blank."""
    fields = FIELDS | {key.replace("_", " "): value for key, value in changed.items()}
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    path.write_bytes(("NRRD0004\n# a remark\n" + "\n".join(lines) + "\nkey:=a note\n\n").encode("latin-1") + data)
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        open_volume(path).voxels[:]
    assert path.name in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("dtype", "kind"), [("i1", "int8"), ("u1", "uchar"), ("<i2", "short"), (">u2", "uint16"), ("<i4", "signed int"),
                        (">u4", "unsigned int"), ("<i8", "long long"), ("<u8", "uint64_t"), (">f4", "float"),
                        ("<f8", "double")],
)  # fmt: skip
def test_values_in_every_type_packing_and_byte_order(tmp_path, dtype, kind):
    voxels = (VOXELS % 100).astype(dtype)
    data, endian = voxels.tobytes(), "big" if ">" in dtype else "little"
    text = " ".join(str(one) for one in voxels.ravel().tolist()).encode()
    packed = {
        "raw": data,
        "gzip": gzip.compress(data),
        "gz": gzip.compress(data),
        "bz2": bz2.compress(data),
        "ascii": text,
    }
    for encoding, stored in packed.items():
        path = write(tmp_path / f"{encoding}.nrrd", stored, type=kind, endian=endian, encoding=encoding)
        volume = open_volume(path)
        np.testing.assert_array_equal(volume.voxels[:], voxels)
        expected = np.float32 if "f" in dtype else np.dtype(dtype).newbyteorder("=")
        assert volume.dtype == volume.voxels[:].dtype == expected and volume.notices == ()
        assert volume.spacing == (3.0, 2.0, 1.5) and volume.lattice.origin == (10.0, 20.0, 30.0)
        if encoding in ("raw", "gzip"):
            np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), voxels)


def test_a_file_that_lost_its_end_is_refused_wherever_it_was_cut(tmp_path):
    data = VOXELS.astype("<i2").tobytes()
    packed = {
        "raw": data,
        "gzip": gzip.compress(data),
        "bzip2": bz2.compress(data),
        "ascii": b"1 " * (VOXELS.size - 1) + b"2",
    }
    for encoding, stored in packed.items():
        whole = write(tmp_path / "v.nrrd", stored, encoding=encoding).read_bytes()
        for length in (0, 5, 60, len(whole) - len(stored), len(whole) - len(stored) // 2, len(whole) - 1):
            (tmp_path / "cut.nrrd").write_bytes(whole[:length])
            refused(tmp_path / "cut.nrrd", "lost its end|cannot be read|does not state|is damaged|damaged")


@pytest.mark.parametrize(
    ("space", "signs"), [("LPS", (1, 1, 1)), ("right-anterior-superior", (-1, -1, 1)), ("RAS", (-1, -1, 1)),
                         ("left-anterior-superior", (1, -1, 1))],
)  # fmt: skip
def test_every_space_that_says_where_the_patient_is_honoured(tmp_path, space, signs):
    path = write(tmp_path / "v.nrrd", space=space)
    volume = open_volume(path)
    stored = volume.storage.store_lattice(volume.lattice)
    np.testing.assert_allclose(stored.origin, np.array([10, 20, 30]) * signs)
    np.testing.assert_allclose(np.array(stored.directions[::-1]), np.diag(signs))
    np.testing.assert_allclose(sitk.ReadImage(str(path)).GetOrigin(), stored.origin)
    assert volume.notices == ()


@pytest.mark.parametrize("space", [None, "3D-right-handed", "scanner-xyz"])
def test_a_space_that_says_nothing_of_the_patient_is_told(tmp_path, space):
    about = {"space": space} if space else {"space": None, "space dimension": "3"}
    [notice] = open_volume(write(tmp_path / "v.nrrd", **about)).notices
    assert "does not say how the patient lies" in notice
    [notice] = open_volume(write(tmp_path / "v.nrrd", space_directions=None, spacings="1 2 3")).notices
    assert "without directions" in notice


@pytest.mark.parametrize(("unit", "mm"), [('"um"', 1e-3), ('"mm"', 1.0), ('"m"', 1e3), ('"cm"', 10.0), ('""', 1.0)])
def test_the_unit_of_the_space_counts(tmp_path, unit, mm):
    steps = " ".join(
        str(tuple(step / mm * (i == j) for i in range(3))).replace(" ", "") for j, step in enumerate((1.5, 2, 3))
    )
    origin = str(tuple(at / mm for at in (10, 20, 30))).replace(" ", "")
    path = write(tmp_path / "v.nrrd", space_directions=steps, space_origin=origin, space_units=" ".join([unit] * 3))
    volume = open_volume(path)
    assert volume.spacing == pytest.approx((3.0, 2.0, 1.5)) and volume.lattice.origin == pytest.approx((10, 20, 30))
    sizes = " ".join(str(step / mm) for step in (1.5, 2, 3))
    by_axis = write(tmp_path / "w.nrrd", space_directions=None, spacings=sizes, units=" ".join([unit] * 3))
    assert open_volume(by_axis).spacing == pytest.approx((3.0, 2.0, 1.5))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"space_directions": "(980,0,0) (0,980,0) (0,0,3000)"}, "which no scan has"),
        ({"space_units": '"furlong" "furlong" "furlong"'}, "no unit of length that is known"),
        ({"space_units": '"mm" "mm"'}, "2 space units of three"),
        ({"space_directions": None}, "does not say how large its voxels are"),
        ({"space_directions": "(1,0,0) (0,1,0)"}, "space directions of three axes"),
        ({"space_directions": "(1,0,0) (0,1,0) none"}, "space directions of three axes"),
        ({"space_directions": "(1,0,0) (0,1,0) (0,0,x)"}, "that is no number"),
        ({"space_directions": "(1,0,0) (0,1,0) (0,0,0)"}, "voxels of no size"),
        ({"space_directions": "(1,0,0) (0,1,0) (0,0,nan)"}, "numbers that are none"),
        ({"space_directions": "(1,0,0) (0.5,1,0) (0,0,1)"}, "is sheared"),
        ({"dimension": "12", "sizes": "1 " * 12}, "has 12 axes"),
        ({"dimension": "99"}, "99 axes, and sizes of 3"),
        ({"dimension": "3 3"}, "dimension as one number"),
        ({"dimension": "2", "sizes": "30 4"}, "one plane"),
        ({"sizes": "5 6 five"}, "no whole number"),
        ({"sizes": "5 -6 4"}, "which no volume has"),
        ({"sizes": "5 6 99999999999999999999"}, "which no volume has"),
        ({"sizes": "50000 60000 40000"}, "lost its end"),
        ({"sizes": None}, "does not state its sizes"),
        ({"type": "block"}, "type “block”"),
        ({"type": "quaternion"}, "type “quaternion”"),
        ({"encoding": "hex"}, "packed as “hex”"),
        ({"endian": None}, "does not state its endian"),
        ({"byte_skip": "-2"}, "odd number of bytes"),
        ({"byte_skip": "90"}, "lost its end"),
        ({"kinds": "RGB-color domain domain"}, "holds 5 value"),
        ({"dimension": "4", "sizes": "3 5 2 4", "kinds": "vector domain domain domain",
          "space_directions": "none (1,0,0) (0,1,0) (0,0,1)"}, r"holds 3 value\(s\) a voxel"),
        ({"dimension": "4", "sizes": "5 6 2 2", "kinds": "domain domain domain time",
          "space_directions": "(1,0,0) (0,1,0) (0,0,1) none"}, r"2 volumes, one after the other \(4D\)"),
        ({"Sizes": "5 6 3"}, "twice, and not the same"),
        ({"data_file": "../v.raw"}, "outside its own folder"),
        ({"data_file": "/etc/passwd"}, "outside its own folder"),
        ({"data_file": "none.raw"}, "there is no such file"),
        ({"data_file": "x" * 5000}, "there is no such file"),
        ({"data_file": "a\0b"}, "there is no such file"),
        ({"data_file": "s%03d.raw 1 1000000000 1"}, "names no files of 4 slices"),
        ({"data_file": "s%s%n.raw 1 4 1"}, "names no files of 4 slices"),
        ({"data_file": "s%03d.raw 1 4 0"}, "names no files of 4 slices"),
        ({"data_file": "LIST"}, "there is no such file"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_gone_by_is_refused(tmp_path, changed, words):
    refused(write(tmp_path / "v.nrrd", **changed), words)


def test_no_nrrd_and_a_header_without_an_end_are_refused(tmp_path):
    (tmp_path / "v.nrrd").write_bytes(b"NRRD0009\n")
    refused(tmp_path / "v.nrrd", "does not begin as an NRRD")
    (tmp_path / "v.nrrd").write_bytes(b"NRRD0004\n" + b"#" * 3_000_000)
    refused(tmp_path / "v.nrrd", "header without an end")
    (tmp_path / "v.nrrd").write_bytes(b"NRRD0004\nno field\n")
    refused(tmp_path / "v.nrrd", "is no field")


def test_an_axis_of_one_value_a_voxel_is_left_out(tmp_path):
    steps = "none (1.5,0,0) (0,2,0) (0,0,3)"
    path = write(
        tmp_path / "v.nrrd", dimension="4", sizes="1 5 6 4", kinds="vector domain domain domain", space_directions=steps
    )
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.voxels[:], VOXELS)
    assert volume.spacing == (3.0, 2.0, 1.5)


@pytest.mark.parametrize("code", ["utf-8", "latin-1"])
@pytest.mark.parametrize("name", ["schädel.raw", "LISTE.raw", "listing.raw", "LIST of slices.raw"])
def test_a_file_of_voxels_may_be_called_anything(tmp_path, name, code):
    (tmp_path / name).write_bytes(VOXELS.astype("<i2").tobytes())
    path = write(tmp_path / "a.nhdr", b"", data_file=name)
    path.write_bytes(path.read_bytes().decode("latin-1").encode(code))
    np.testing.assert_array_equal(open_volume(path).voxels[:], VOXELS)


def test_what_simpleitk_names_with_an_umlaut_is_read(tmp_path):
    for name in ("schädel.nhdr", "schädel.mhd"):
        sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / name))
        np.testing.assert_array_equal(open_volume(tmp_path / name).voxels[:], VOXELS)


def test_voxels_in_files_beside_their_header_are_read_and_count_for_the_fingerprint(tmp_path):
    planes = [plane.astype("<i2").tobytes() for plane in VOXELS]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "all.raw").write_bytes(b"head\nhead\nxx" + b"".join(planes))
    (tmp_path / "all.raw.gz").write_bytes(gzip.compress(b"".join(planes)))
    for number, plane in enumerate(planes):
        (tmp_path / f"s{2 * number + 3:03d}.raw").write_bytes(plane)
    names = "\n".join(f"s{2 * number + 3:03d}.raw" for number in range(4))
    written = [
        write(tmp_path / "skip.nhdr", b"", data_file="deep/all.raw", line_skip="2", byte_skip="2"),
        write(tmp_path / "last.nhdr", b"", data_file="./deep/all.raw", byte_skip="-1"),
        write(tmp_path / "packed.nhdr", b"", data_file="all.raw.gz", encoding="gzip"),
        write(tmp_path / "pattern.nhdr", b"", data_file="s%03d.raw 3 9 2"),
    ]
    listed = write(tmp_path / "list.nhdr", b"").read_bytes().rstrip() + f"\ndata file: LIST 2\n{names}\n".encode()
    (tmp_path / "list.nhdr").write_bytes(listed)
    for path in (*written, tmp_path / "list.nhdr"):
        volume = open_volume(path)
        np.testing.assert_array_equal(volume.voxels[:], VOXELS, err_msg=path.name)
    before = open_volume(tmp_path / "pattern.nhdr").fingerprint
    (tmp_path / "s005.raw").write_bytes(planes[0])
    assert open_volume(tmp_path / "pattern.nhdr").fingerprint != before
    (tmp_path / "s005.raw").write_bytes(planes[0][:-1])
    refused(tmp_path / "pattern.nhdr", r"lost its end")


def test_a_link_or_a_pipe_beside_a_header_leads_nowhere(tmp_path):
    (tmp_path / "secret.raw").write_bytes(VOXELS.astype("<i2").tobytes())
    folder = tmp_path / "from a stranger"
    folder.mkdir()
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    (folder / "zero.raw").symlink_to("/dev/zero")
    (folder / "round.raw").symlink_to(folder / "round.raw")
    os.mkfifo(folder / "pipe.raw")
    for name, words in (
        ("link", "outside its own"),
        ("zero", "outside its own"),
        ("round", "no such"),
        ("pipe", "no such"),
    ):
        refused(write(folder / f"{name}.nhdr", b"", data_file=f"{name}.raw"), words)
    (folder / "own.raw").write_bytes(VOXELS.astype("<i2").tobytes())
    (folder / "inside.raw").symlink_to(folder / "own.raw")
    np.testing.assert_array_equal(open_volume(write(folder / "v.nhdr", b"", data_file="inside.raw")).voxels[:], VOXELS)


def test_numbers_that_are_written_out_must_be_such_as_the_type_has(tmp_path):
    good = ["7"] * VOXELS.size
    for wrong in ("x", "40000", "1.5", "nan"):
        text = " ".join([*good[:-1], wrong]).encode()
        refused(write(tmp_path / "v.nrrd", text, encoding="ascii"), "cannot be read to its end")
