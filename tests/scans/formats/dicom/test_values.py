"""From stored numbers to values: rescaling, bits, padding, compression; against the numbers that were written."""

from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from made_dicom import DEPTH, HEIGHT, WIDTH, ct, hounsfield, only, write_ct

from diffuscope.errors import InputError
from diffuscope.scans import open_volume

pydicom = pytest.importorskip("pydicom")
STORED = ct() + 1024


@pytest.mark.parametrize("given", [{}, {"RescaleSlope": None}, {"RescaleIntercept": None}])
def test_a_ct_slice_without_both_rescale_tags_is_refused_by_name(tmp_path, given):
    gone = given or {"RescaleSlope": ..., "RescaleIntercept": ...}
    with pytest.raises(InputError, match=r"^004\.dcm does not say its Rescale\w+, without which a CT is not in HU"):
        open_volume(write_ct(tmp_path / "ct", only(4, **gone)))


def test_every_slice_has_its_own_rescaling_applied_and_it_is_told(tmp_path):
    def other(one, z):
        if z == 4:
            one.RescaleSlope, one.RescaleIntercept = 0.5, -2000
            one.PixelData = (2 * (hounsfield(z) + 2000)).astype("<u2").tobytes()

    volume = open_volume(write_ct(tmp_path / "ct", other))
    np.testing.assert_array_equal(volume.voxels[:], ct())
    assert volume.notices == ("The slices of ct differ in RescaleSlope or RescaleIntercept: each has its own applied.",)


def test_slices_of_a_pet_each_have_a_slope_and_none_is_told_where_none_says(tmp_path):
    def pet(one, z):
        one.Modality, one.RescaleSlope, one.RescaleIntercept = "PT", 0.25 * (z + 1), 0

    volume = open_volume(write_ct(tmp_path / "pet", pet))
    np.testing.assert_allclose(volume.voxels[:], STORED * 0.25 * np.arange(1, DEPTH + 1)[:, None, None])
    assert volume.notices == ()
    bare = open_volume(write_ct(tmp_path / "bare", Modality="PT", RescaleSlope=None, RescaleIntercept=None))
    assert bare.notices == ("bare does not say its RescaleSlope: its values are the stored numbers, not Bq/ml.",)
    np.testing.assert_array_equal(bare.voxels[:], STORED)


def test_an_mr_needs_no_rescaling_but_all_slices_or_none(tmp_path):
    bare = open_volume(write_ct(tmp_path / "mr", Modality="MR", RescaleSlope=None, RescaleIntercept=None))
    np.testing.assert_array_equal(bare.voxels[:], STORED)
    assert bare.dtype == np.uint16 and bare.notices == ()

    def one_less(one, z):
        one.Modality = "MR"
        if z == 4:
            del one.RescaleSlope, one.RescaleIntercept

    with pytest.raises(InputError, match=r"^004\.dcm does not say its RescaleSlope, but 000\.dcm of the same series"):
        open_volume(write_ct(tmp_path / "some", one_less))
    half = write_ct(tmp_path / "half", Modality="MR", RescaleIntercept=None)
    with pytest.raises(InputError, match=r"^000\.dcm does not say its RescaleIntercept, but says the other number"):
        open_volume(half)


def test_a_table_of_values_is_refused_and_other_units_are_told(tmp_path):
    def table(one, z):
        entry = pydicom.Dataset()
        entry.LUTDescriptor, entry.ModalityLUTType, entry.LUTData = [2, 0, 16], "US", b"\0\0\1\0"
        one.ModalityLUTSequence = [entry]

    with pytest.raises(InputError, match=r"^000\.dcm maps its values by a table \(ModalityLUTSequence\)"):
        open_volume(write_ct(tmp_path / "table", table))
    density = open_volume(write_ct(tmp_path / "density", RescaleType="ED"))
    assert density.notices == ("density is a CT whose values are not in HU: its RescaleType is ED.",)


@pytest.mark.parametrize("high", [11, 15])
@pytest.mark.parametrize("is_signed", [False, True])
def test_bits_that_are_no_value_are_left_out(tmp_path, high, is_signed):
    """Twelve bits of sixteen, at the top or at the bottom; what else stands in the word is an overlay or garbage."""
    planes = (ct() if is_signed else STORED).clip(-2048, 4095)
    garbage = np.random.default_rng(0).integers(0, 16, planes.shape)

    def twelve(one, z):
        word = planes[z] & 0xFFF
        word = (word << 4) | garbage[z] if high == 15 else word | (garbage[z] << 12)
        one.PixelData = word.astype("<u2").tobytes()
        one.BitsStored, one.HighBit, one.PixelRepresentation = 12, high, int(is_signed)
        one.RescaleIntercept = 0 if is_signed else -1024

    volume = open_volume(write_ct(tmp_path / "ct", twelve))
    assert volume.dtype == np.int16
    np.testing.assert_array_equal(volume.voxels[:], ct())


@pytest.mark.parametrize(("width", "is_signed"), [(8, False), (8, True), (32, False), (32, True)])
def test_pixels_of_other_widths(tmp_path, width, is_signed):
    kind = f"{'i' if is_signed else 'u'}{width // 8}"
    planes = np.random.default_rng(0).integers(*np.array([0, 120]), (DEPTH, HEIGHT, WIDTH)).astype(kind)

    def other(one, z):
        one.PixelData = planes[z].tobytes()
        one.BitsAllocated = one.BitsStored = width
        one.HighBit, one.PixelRepresentation = width - 1, int(is_signed)

    volume = open_volume(write_ct(tmp_path / "ct", other))
    np.testing.assert_array_equal(volume.voxels[:], planes.astype(int) - 1024)


@pytest.mark.parametrize("vr", ["US", "SS"])
def test_padding_is_background_and_told(tmp_path, vr):
    outside = np.hypot(*(np.mgrid[:HEIGHT, :WIDTH] - np.array([28, 32]).reshape(2, 1, 1))) > 27

    def padded(one, z):
        plane = np.where(outside, -2000, hounsfield(z)).astype("<i2")
        one.PixelData, one.PixelRepresentation, one.RescaleIntercept = plane.tobytes(), 1, 0
        # Some write a signed number as if it were none.
        one.add_new("PixelPaddingValue", vr, -2000 if vr == "SS" else 0x10000 - 2000)

    volume = open_volume(write_ct(tmp_path / "ct", padded))
    np.testing.assert_array_equal(volume.voxels[:], np.where(outside, -1000, ct()))
    [told] = volume.notices
    assert told.startswith("ct marks where nothing was measured (PixelPaddingValue -2000): this counts as background")
    assert not volume.foreground().mask[:, :5, :5].any()


def test_a_range_of_padding_and_padding_that_is_bright(tmp_path):
    def padded(one, z):
        plane = STORED[z].copy()
        plane[:3] = [[3000], [3050], [3100]]
        one.PixelData = plane.astype("<u2").tobytes()
        one.PixelPaddingValue, one.PixelPaddingRangeLimit = 3100, 3000

    volume = open_volume(write_ct(tmp_path / "ct", padded))
    assert (volume.voxels[:][:, :3] == -1000).all()
    np.testing.assert_array_equal(volume.voxels[:][:, 3:], ct()[:, 3:])
    assert "PixelPaddingValue 3000 to 3100" in volume.notices[0]


def test_a_range_of_padding_may_end_at_zero(tmp_path):
    stored = np.full((16, 16), 1000, "<i2")
    stored[:4] = [[-2000], [-1000], [0], [24]]

    def padded(one, z):
        one.Rows, one.Columns = stored.shape
        one.PixelData, one.PixelRepresentation = stored.tobytes(), 1
        one.add_new("PixelPaddingValue", "SS", -2000)
        one.add_new("PixelPaddingRangeLimit", "SS", 0)

    volume = open_volume(write_ct(tmp_path / "ct", padded, RescaleSlope=1, RescaleIntercept=-1024))
    # Padding is all from one to the other, both included (PS3.3 C.7.5.1.1.2); it reads as the lowest that was measured.
    assert (volume.voxels[:][:, :4] == -1000).all() and (volume.voxels[:][:, 4:] == -24).all()
    assert "PixelPaddingValue -2000 to 0" in volume.notices[0]


def test_inverted_values_are_refused_where_they_are_no_quantity(tmp_path):
    with pytest.raises(InputError, match=r"^000\.dcm is stored inverted \(MONOCHROME1"):
        open_volume(write_ct(tmp_path / "mr", Modality="MR", PhotometricInterpretation="MONOCHROME1"))
    volume = open_volume(write_ct(tmp_path / "ct", PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(volume.voxels[:], ct())  # HU are HU, whatever is shown as white


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_plain_pixels_in_every_order_of_bytes(tmp_path, syntax):
    big = syntax.endswith(".2.2")

    def ordered(one, z):
        one.PixelData = STORED[z].astype(">u2" if big else "<u2").tobytes()

    folder = write_ct(tmp_path / "ct", ordered, syntax=syntax)
    np.testing.assert_array_equal(open_volume(folder).voxels[:], ct())


def deflate(file: Path, data: bytes | None = None) -> None:
    """Write a file's elements deflated, or `data` behind them."""
    one = pydicom.dcmread(file)
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    one.save_as(file, enforce_file_format=True)
    if data is None:
        return
    raw = file.read_bytes()
    head = pydicom.filereader.read_file_meta_info(file)
    start = 132 + 12 + head.FileMetaInformationGroupLength
    plain = zlib.decompress(raw[start:], -15)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    file.write_bytes(raw[:start] + packer.compress(plain + data) + packer.flush())


def test_deflated_files_are_read(tmp_path):
    folder = write_ct(tmp_path / "ct")
    for file in folder.iterdir():
        deflate(file)
    np.testing.assert_array_equal(open_volume(folder).voxels[:], ct())


def test_no_more_is_inflated_than_the_header_declares(tmp_path):
    folder = write_ct(tmp_path / "ct")
    for file in folder.iterdir():
        deflate(file)
    # A private element of 200 MB behind the pixels, in 200 kB.
    deflate(folder / "003.dcm", b"\xe1\x7f\x10\x00OB\0\0" + (200 * 2**20).to_bytes(4, "little") + bytes(200 * 2**20))
    assert (folder / "003.dcm").stat().st_size < 2**19
    volume = open_volume(folder)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"^003\.dcm inflates to more than its header declares"):
        volume.voxels[:]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * 2**20


def encode(kind: str, plane: np.ndarray) -> bytes:
    import imagecodecs

    if kind == "JPEG lossless":
        return imagecodecs.ljpeg_encode(plane, bitspersample=16)
    if kind == "JPEG":
        return imagecodecs.jpeg8_encode(plane, level=100)
    if kind == "JPEG-LS":
        return imagecodecs.jpegls_encode(plane)
    return imagecodecs.jpeg2k_encode(plane, reversible=True, level=0, codecformat="j2k")


COMPRESSED = {
    "JPEG": ("1.2.840.10008.1.2.4.50", 8),
    "JPEG lossless": ("1.2.840.10008.1.2.4.70", 16),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", 16),
    "JPEG 2000": ("1.2.840.10008.1.2.4.90", 16),
}


def compressed(kind: str, planes: np.ndarray):
    """Return a tweak that compresses slices; each is read by its own library, and their sizes may be false."""
    _, bits = COMPRESSED[kind]

    def tweak(one, z):
        one.PixelData = pydicom.encaps.encapsulate([encode(kind, planes[z].astype(f"u{bits // 8}"))])
        one["PixelData"].VR = "OB"
        one["PixelData"].is_undefined_length = True
        one.BitsAllocated = one.BitsStored = bits
        one.HighBit = bits - 1

    return tweak


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed_slices_hold_what_was_compressed(tmp_path, kind):
    syntax, bits = COMPRESSED[kind]
    planes = STORED if bits == 16 else STORED // 8
    folder = write_ct(tmp_path / "ct", compressed(kind, planes), syntax=syntax)
    np.testing.assert_allclose(open_volume(folder).voxels[:], planes - 1024, atol=3 if kind == "JPEG" else 0)


def test_run_lengths_are_read(tmp_path):
    folder = write_ct(tmp_path / "ct")
    for file in folder.iterdir():
        one = pydicom.dcmread(file)
        one.compress(pydicom.uid.RLELossless)
        one.save_as(file)
    np.testing.assert_array_equal(open_volume(folder).voxels[:], ct())


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_compressed_picture_of_another_size_is_not_decoded(tmp_path, kind):
    syntax, _ = COMPRESSED[kind]
    large = np.zeros((DEPTH, 4 * HEIGHT, 4 * WIDTH), int)
    volume = open_volume(write_ct(tmp_path / "ct", compressed(kind, large), syntax=syntax))
    with pytest.raises(InputError, match=r"^000\.dcm holds JPEG.* pixels of another size than its header declares"):
        volume.voxels[:]


@pytest.mark.parametrize("kind", COMPRESSED)
def test_damaged_compression_is_one_sentence(tmp_path, kind):
    syntax, bits = COMPRESSED[kind]
    planes = STORED if bits == 16 else STORED // 8
    folder = write_ct(tmp_path / "ct", compressed(kind, planes), syntax=syntax)
    one = pydicom.dcmread(folder / "002.dcm")
    frame = bytearray(next(pydicom.encaps.generate_frames(one.PixelData, number_of_frames=1)))
    frame[len(frame) // 2 :] = b"\xff\xd8" * (len(frame) // 4)
    one.PixelData = pydicom.encaps.encapsulate([bytes(frame[: len(frame) // 2 * 2])])
    one.save_as(folder / "002.dcm")
    with pytest.raises(InputError, match=r"^002\.dcm holds (damaged JPEG|JPEG)"):
        open_volume(folder).voxels[:]


def test_other_compressions_are_named(tmp_path):
    folder = write_ct(tmp_path / "ct", compressed("JPEG 2000", STORED), syntax="1.2.840.10008.1.2.4.102")
    with pytest.raises(InputError, match=r"^000\.dcm is compressed as MPEG-4 .*, which is not read: decompress"):
        open_volume(folder)


@pytest.mark.parametrize("by", [-2000, -2, 2])
def test_pixels_that_are_not_those_of_the_header_are_refused(tmp_path, by):
    def cut(one, z):
        if z == 5:
            one.PixelData = one.PixelData[:by] if by < 0 else one.PixelData + bytes(by)

    folder = write_ct(tmp_path / "ct", cut)
    size = 2 * HEIGHT * WIDTH
    with pytest.raises(InputError, match=rf"^005\.dcm (holds {size + by} bytes .* declares {size}|is shorter)"):
        open_volume(folder).voxels[:]


def test_a_file_that_lost_its_end_is_refused_before_it_is_read(tmp_path):
    folder = write_ct(tmp_path / "ct")
    whole = (folder / "005.dcm").read_bytes()
    (folder / "005.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"^005\.dcm is shorter than the pixels that its header declares"):
        open_volume(folder)
