"""What a header must say: every element that is empty, gone, of another kind or no number is one sentence."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_dicom import ct, only, write_ct

from diffuscope.errors import InputError
from diffuscope.scans import open_volume

pydicom = pytest.importorskip("pydicom")

NEEDED = {
    "SeriesInstanceUID": 0,
    "ImagePositionPatient": 3,
    "ImageOrientationPatient": 6,
    "PixelSpacing": 2,
    "Rows": 1,
    "Columns": 1,
    "SamplesPerPixel": 1,
    "BitsAllocated": 1,
    "BitsStored": 1,
    "HighBit": 1,
    "PixelRepresentation": 1,
    "PhotometricInterpretation": 0,
    "RescaleSlope": 1,
    "RescaleIntercept": 1,
}
OPTIONAL = {"SliceThickness": 1, "PixelPaddingValue": 1, "NumberOfFrames": 1}


def spoil(file: Path, tag: str, value: Any, vr: str | None = None) -> None:
    """Replace an element by whatever is given, in the words of the file, not in those of pydicom."""
    one = pydicom.dcmread(file)
    element = pydicom.DataElement(tag, vr or one[tag].VR, None) if vr or tag in one else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one[tag] = element or pydicom.DataElement(tag, "LO", None)
        one[tag]._value = value
        one.save_as(file)


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("tag", NEEDED)
def test_what_must_be_there_is_named_with_its_file(tmp_path, tag, gone):
    folder = write_ct(tmp_path / "ct", only(4, **{tag: ... if gone else None}))
    with pytest.raises(InputError, match=rf"^004\.dcm does not say its {tag}[:,]"):
        open_volume(folder)


@pytest.mark.parametrize("tag", OPTIONAL)
def test_what_need_not_be_there_may_be_empty(tmp_path, tag):
    volume = open_volume(write_ct(tmp_path / "ct", only(4, **{tag: None})))
    np.testing.assert_array_equal(volume.voxels[:], ct())


@pytest.mark.parametrize("tag", [tag for tag, count in (NEEDED | OPTIONAL).items() if count])
@pytest.mark.parametrize("text", ["wide", "nan", "inf", "1,5", "1_0"])
def test_text_where_a_number_belongs_is_quoted(tmp_path, tag, text):
    folder = write_ct(tmp_path / "ct")
    count = (NEEDED | OPTIONAL)[tag]
    spoil(folder / "002.dcm", tag, "\\".join([text] * count), "LO")
    with pytest.raises(InputError, match=rf'^002\.dcm has "{text}" in its {tag}, where a number belongs'):
        open_volume(folder)


COUNTS = [(tag, count + by) for tag, count in (NEEDED | OPTIONAL).items() for by in (-1, 1) if count and count + by]


@pytest.mark.parametrize(("tag", "count"), COUNTS)
def test_too_few_and_too_many_numbers_are_counted(tmp_path, tag, count):
    folder = write_ct(tmp_path / "ct")
    spoil(folder / "002.dcm", tag, "\\".join(["1"] * count), "LO")
    with pytest.raises(InputError, match=rf"^002\.dcm has {count} number\(s\) in its {tag}, where"):
        open_volume(folder)


@pytest.mark.parametrize("tag", [tag for tag, count in (NEEDED | OPTIONAL).items() if count])
@pytest.mark.parametrize(("vr", "value"), [("OB", b"\x01\x02\x03\x04"), ("US", b"\x01\x02\x03")])
def test_bytes_where_a_number_belongs_are_refused(tmp_path, tag, vr, value):
    folder = write_ct(tmp_path / "ct")
    file = folder / "002.dcm"
    # Written by hand: pydicom would not.
    one = pydicom.dcmread(file)
    before = one[tag].tag if tag in one else pydicom.tag.Tag(tag)
    spoil(file, tag, b"MARKMARK", "OB")
    raw = file.read_bytes()
    head = before.group.to_bytes(2, "little") + before.element.to_bytes(2, "little")
    old = head + b"OB\0\0" + (8).to_bytes(4, "little") + b"MARKMARK"
    assert raw.count(old) == 1
    long = vr == "OB"
    size = len(value).to_bytes(4 if long else 2, "little")
    file.write_bytes(raw.replace(old, head + vr.encode() + (b"\0\0" if long else b"") + size + value))
    with pytest.raises(InputError, match=r"^002\.dcm (has|does not say|is a damaged).*") as told:
        open_volume(folder)
    assert tag in str(told.value) or "damaged" in str(told.value)


@pytest.mark.parametrize("vr", ["LO", "FD", "DS", "FL"])
def test_numbers_of_another_kind_are_numbers(tmp_path, vr):
    folder = write_ct(tmp_path / "ct")
    for file in folder.iterdir():
        spoil(file, "PixelSpacing", [0.5, 0.75] if vr in ("FD", "FL") else "0.5\\0.75", vr)
    assert open_volume(folder).spacing == (3.0, 0.5, 0.75)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"PixelSpacing": [0, 1]}, "has a PixelSpacing of 0 x 1 mm"),
        ({"PixelSpacing": [1, -1]}, "has a PixelSpacing of 1 x -1 mm"),
        ({"PixelSpacing": ..., "ImagerPixelSpacing": [1, 1]}, "does not say its PixelSpacing"),
        ({"ImageOrientationPatient": [0] * 6}, "no two directions at a right angle in its ImageOrientationPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "no two directions at a right angle"),
        ({"ImageOrientationPatient": [2, 0, 0, 0, 2, 0]}, "no two directions at a right angle"),
        ({"Rows": 0}, "has 0 in its Rows"),
        ({"Rows": 65535}, "has 65535 in its Rows"),
        ({"SliceThickness": -3}, "has a SliceThickness of -3 mm"),
        ({"RescaleSlope": 0}, "has a RescaleSlope of 0"),
        ({"BitsAllocated": 12}, "has 12 bits a pixel"),
        ({"BitsStored": 17}, "has 17 in its BitsStored"),
        ({"HighBit": 16}, "has 16 in its HighBit"),
        ({"PixelRepresentation": 2}, "has 2 in its PixelRepresentation"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "is a colour image"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "is stored as PALETTE COLOR"),
        ({"NumberOfFrames": 4}, "of several frames"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, about, words):
    folder = write_ct(tmp_path / "ct", only(3, **about))
    with pytest.raises(InputError, match=rf"^003\.dcm .*{words}"):
        open_volume(folder)


def test_pixel_spacing_counts_and_not_that_of_the_detector(tmp_path):
    assert open_volume(write_ct(tmp_path / "ct", ImagerPixelSpacing=[0.2, 0.2])).spacing == (3.0, 1.0, 1.0)


def test_no_word_of_pydicom_reaches_the_terminal(tmp_path, capfd, recwarn):
    folder = write_ct(tmp_path / "ct")
    for file in folder.iterdir():
        # No UID, no code string, no character set, a decimal string that is too long.
        spoil(file, "SeriesInstanceUID", "not-a-uid", "UI")
        spoil(file, "SpecificCharacterSet", "KLINGON", "CS")
        spoil(file, "PixelSpacing", "1.0000000000000000000000\\1", "DS")
    recwarn.clear()
    capfd.readouterr()
    assert open_volume(folder).shape == ct().shape
    captured = capfd.readouterr()
    assert not captured.out and not captured.err and not recwarn.list


def test_a_place_that_no_slice_states_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^000\.dcm does not say its ImagePositionPatient"):
        open_volume(write_ct(tmp_path / "empty", ImagePositionPatient=None))
