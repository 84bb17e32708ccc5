"""What files claim: looked at before anything of that size is made, and opened lazily or refused in one sentence."""

from __future__ import annotations

import gzip
import os
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from raw_tiff import image_tags, places, short, write_tiff

from diffuscope.errors import InputError
from diffuscope.scans import open_input, open_scan
from diffuscope.scans.guards.codestreams import values_of
from diffuscope.scans.guards.streams import fits

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
    'DimensionOrder="XYZCT" Type="uint8" SizeX="16" SizeY="16" SizeZ="1" SizeT="1" SizeC="{}">{}</Pixels></Image></OME>'
)


def refused(path: Path | str, words: str) -> None:
    """See that opening says one sentence, at once and without much memory."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(InputError, match=words) as caught:
            open_input(path)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 20
    sentence = str(caught.value)
    assert Path(path).name in sentence and "\n" not in sentence and sentence.endswith(".")


def unread(path: Path, words: str) -> None:
    """See that a file opens, and that its first pixels are refused in one sentence and without much memory."""
    scan = open_scan(path)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=words) as caught:
            scan.sources[0].read(0, 16, 0, 16)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert path.name in str(caught.value)


def ome_tiff(path: Path, channels: str, data: str) -> Path:
    text = OME.format(channels, data).encode() + b"\0"
    about = image_tags(16, 16, samples=1, photometric=1)
    write_tiff(path, [*about, *places([8], [256]), (270, 2, len(text), text)], bytes(256))
    return path


@pytest.mark.parametrize(
    ("width", "height", "tile", "words"),
    [
        (10**9, 10**9, 256, "more than any slide has"),
        (0, 5, 256, "holds no image"),
        (40000, 40000, 40000, "tiles of 40000 × 40000 × 3 values, which need 4800 MB each"),
        (40000, 40000, 0, "strips of 40000 × 40000 × 3 values"),
        (40000, 40000, 256, "lists 1 of the 24649 tiles"),
    ],
)
def test_sizes_that_a_tiff_claims(tmp_path, width, height, tile, words):
    path = tmp_path / "a.tif"
    about = image_tags(width, height, compression=8, tile=tile)
    write_tiff(path, [*about, *places([8], [0 if tile == 40000 else 50], tiles=bool(tile))], bytes(50))
    refused(path, words)


def test_a_tile_that_unpacks_to_more_than_it_is(tmp_path):
    path = tmp_path / "a.tif"
    picture = imagecodecs.jpeg8_encode(np.zeros((256, 256, 3), np.uint8))
    frame = picture.find(b"\xff\xc0")
    huge = picture[: frame + 5] + struct.pack(">HH", 60000, 60000) + picture[frame + 9 :]
    wide = imagecodecs.jpeg2k_encode(np.zeros((64, 64, 3), np.uint8), codecformat="J2K", level=0)
    wide = wide[:8] + struct.pack(">II", 60000, 60000) + wide[16:]
    small = np.zeros((200, 256, 3), np.uint8)
    webp = bytearray(imagecodecs.webp_encode(np.zeros((64, 64, 3), np.uint8), lossless=True))
    webp[21:25] = struct.pack("<I", 0x0FFFFFFF)
    for compression, data, words in (
        (8, zlib.compress(bytes(2**27)), "DeflateError"),
        (50000, imagecodecs.zstd_encode(bytes(2**27)), "ZstdError"),
        (7, huge, "a picture of 10800000000 values"),
        (7, picture[:-40], "its end is missing"),
        (33005, wide, "a picture of 10800000000 values"),
        (33003, imagecodecs.jpeg2k_encode(small, codecformat="J2K", level=0), "it is of another size"),
        (50001, bytes(webp), "a picture of .* values"),
    ):
        about = image_tags(256, 256, compression=compression, photometric=6 if compression == 7 else 2, tile=256)
        write_tiff(path, [*about, *places([8], [len(data)], tiles=True)], data)
        unread(path, words)


def test_directories_without_end_or_beyond_it(tmp_path):
    path = tmp_path / "a.tif"
    pixels = bytes(range(256)) * 3
    write_tiff(path, [*image_tags(16, 16), *places([8], [768])], pixels, following=8 + 768)
    np.testing.assert_array_equal(open_scan(path).sources[0].read(0, 16, 0, 16).ravel(), list(pixels))
    chain = bytearray(b"II*\0" + struct.pack("<I", 8))
    for _ in range(10_000):
        chain += struct.pack("<HHHIII", 1, 256, 4, 1, 16, len(chain) + 18)
    path.write_bytes(chain)
    refused(path, "more images than any slide has")
    sub = struct.pack("<9000I", *range(9000))
    write_tiff(path, [*image_tags(16, 16), *places([8], [768]), (330, 4, 9000, sub)], pixels)
    refused(path, "9000 levels")
    path.write_bytes(b"II+\0" + struct.pack("<HHQ", 8, 0, 2**60))
    refused(path, "truncated")
    path.write_bytes(b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2**62) + bytes(100))
    refused(path, "more images")
    with path.open("wb") as file:
        file.write(b"II+\0" + struct.pack("<HHQQHHQQQ", 8, 0, 16, 1, 270, 2, 10**10, 100, 0))
        file.truncate(2 * 10**10)  # takes no room
    refused(path, "descriptions or lists of 10000 MB")


def test_what_an_ome_xml_claims(tmp_path):
    path = tmp_path / "a.ome.tif"
    refused(ome_tiff(path, "1000000000", "<TiffData/>"), "claims 1000000000 channels")
    refused(ome_tiff(path, "1", '<TiffData IFD="0" PlaneCount="1000000000"/>'), "claims PlaneCount 1000000000")
    refused(ome_tiff(path, "many", "<TiffData/>"), "no number")
    refused(ome_tiff(path, "2", '<TiffData IFD="0"/>'), "not all are there")
    assert open_scan(ome_tiff(path, "1", "<TiffData/>")).shape == (16, 16)


def two_files(folder: Path, name: str) -> Path:
    """Write an OME-TIFF of two channels, the second in the file that is named."""
    second = f'<TiffData IFD="0" FirstC="1" PlaneCount="1"><UUID FileName="{name}">urn:uuid:2</UUID></TiffData>'
    return ome_tiff(folder / "a.ome.tif", "2", f'<TiffData IFD="0" PlaneCount="1"/>{second}')


def test_another_file_is_read_beside_it_only_and_belongs_to_the_fingerprint(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    other = folder / "b.ome.tif"
    tifffile.imwrite(other, np.full((16, 16), 7, np.uint8), photometric="minisblack", metadata=None)
    scan = open_scan(two_files(folder, "b.ome.tif"))
    np.testing.assert_array_equal(scan.sources[0].read(0, 16, 0, 16)[..., 1], np.full((16, 16), 7))
    tifffile.imwrite(other, np.full((16, 16), 8, np.uint8), photometric="minisblack", metadata=None)
    assert open_scan(folder / "a.ome.tif").fingerprint != scan.fingerprint
    outside = tmp_path / "secret.tif"
    tifffile.imwrite(outside, np.full((16, 16), 9, np.uint8), photometric="minisblack", metadata=None)
    for name in ("../secret.tif", str(outside), "..\\secret.tif", "C:\\secret.tif"):
        refused(two_files(folder, name), "names a file outside its folder")
    (folder / "link.tif").symlink_to(outside)
    refused(two_files(folder, "link.tif"), "a link, which is not followed")
    os.mkfifo(folder / "pipe.tif")
    refused(two_files(folder, "pipe.tif"), "a link or no file")
    refused(two_files(folder, "none.tif"), "not all are there|NumPlanes")


def test_pictures_that_claim_more_than_can_be_decoded_at_once(tmp_path):
    path = tmp_path / "a.png"

    def png(width: int, height: int, colour: int) -> None:
        head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
        packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))

    png(50000, 50000, 2)
    refused(path, r"50000 × 50000 px\) is too large for PNG")
    png(13000, 13000, 6)
    refused(path, "676 MB at once")
    png(300, 200, 2)
    unread(path, "cannot be decoded")
    path = tmp_path / "a.jpg"
    picture = imagecodecs.jpeg8_encode(np.zeros((64, 64, 3), np.uint8))
    frame = picture.find(b"\xff\xc0")
    path.write_bytes(picture[: frame + 5] + struct.pack(">HH", 50000, 50000) + picture[frame + 9 :])
    refused(path, "too large for JPEG")
    Image.new("CMYK", (20, 20)).save(path)
    refused(path, "inks")


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.svs")
    refused(tmp_path / "pipe.svs", "a pipe, a device or a socket")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    refused(tmp_path / "zero.png", "a pipe, a device or a socket")
    (tmp_path / "lost.svs").symlink_to("nowhere.svs")
    refused(tmp_path / "lost.svs", "a link to what is not there")
    for address in ("https://example.org/a/slide.svs", "s3://bucket/slide.svs"):
        refused(address, "is an address of no OME-Zarr .* copy the file here first")


def test_an_empty_slide_is_looked_at_in_no_time(tmp_path):
    path = tmp_path / "a.tif"
    side, tile = 200_000, 4096
    number = (-(-side // tile)) ** 2
    about = image_tags(side, side, compression=8, tile=tile)
    write_tiff(path, [*about, *places([8] * number, [0] * number, tiles=True)])
    start = time.perf_counter()
    scan = open_scan(path)
    assert not scan.foreground().mask.any()
    assert (scan.sources[-1].read(0, 50, 0, 50) == 255).all()
    assert time.perf_counter() - start < 20  # of 40 thousand million px


def test_what_is_stored_of_a_sparse_slide_is_in_its_overview(tmp_path):
    path = tmp_path / "a.tif"
    data = zlib.compress(np.full((256, 256, 3), 100, np.uint8).tobytes())
    across = 4096 // 256
    counts = [0] * across**2
    counts[3 * across + 5] = len(data)
    about = image_tags(4096, 4096, compression=8, tile=256)
    write_tiff(path, [*about, *places([8] * len(counts), counts, tiles=True)], data)
    scan = open_scan(path)
    assert scan.downsamples[-1] == 4
    right = np.full((1024, 1024, 3), 255)
    right[3 * 64 : 4 * 64, 5 * 64 : 6 * 64] = 100
    np.testing.assert_array_equal(scan.sources[-1].read(0, 1024, 0, 1024), right)
    assert "ICC" not in str(scan.notices)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_picture_that_is_to_be_shown_turned_is_told(tmp_path, name, order):
    exif = Image.Exif()
    exif.endian = order
    pixels = np.zeros((16, 24, 3), np.uint8)
    for orientation in (1, 6):
        exif[274] = orientation
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        scan = open_scan(tmp_path / name)
        told = f"{name} says that it is to be shown turned (orientation 6); it is taken as it is stored."
        assert scan.shape == (16, 24) and scan.notices == (() if orientation == 1 else (told,))
    Image.fromarray(pixels).save(tmp_path / name, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert open_scan(tmp_path / name).notices == ()


def test_what_is_stored_beside_pixels_and_not_applied_is_told(tmp_path):
    path = tmp_path / "a.tif"
    tags = [*image_tags(16, 16), *places([8], [768]), (34675, 7, 8, bytes(8)), short(274, 6)]
    write_tiff(path, tags, bytes(768))
    profile, turned = open_scan(path).notices
    assert "ICC colour profile, which is not applied" in profile
    assert "orientation 6" in turned
    text = OME.format(1, "<TiffData/>").replace('SizeX="16"', 'SizeX="16" PhysicalSizeX="0.5" PhysicalSizeY="0.5"')
    options = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), description=text.encode(), **options)
    scan = open_scan(path)
    assert scan.mpp == 0.5
    assert "says 0.5 µm/px in its description and 0.25 in its resolution tags" in scan.notices[0]


def test_gzip_of_many_members_counts_as_one():
    data = gzip.compress(bytes(600)) * 3
    assert fits("gzip", data, 1800)
    assert not fits("gzip", data, 1799)
    assert not fits("zlib", zlib.compress(bytes(2**20)), 1000)
    assert fits("zstd", imagecodecs.zstd_encode(bytes(700)), 700)
    assert not fits("zstd", imagecodecs.zstd_encode(bytes(701)), 700)
    assert not fits("blosc", imagecodecs.blosc_encode(bytes(701)), 700)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(64, 64), (70, 90), (90, 120), (256, 512), (700, 9000)])
def test_pictures_in_tiles_say_how_large_they_are(shape):
    pixels = np.zeros((*shape, 3), np.uint8)
    for compression, data, channels in (
        (7, imagecodecs.jpeg8_encode(pixels), 3),
        (33005, imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", level=0), 3),
        (34712, imagecodecs.jpeg2k_encode(pixels, codecformat="JP2", level=0), 3),
        (50001, imagecodecs.webp_encode(pixels, lossless=True), 4),
        (50001, imagecodecs.webp_encode(pixels, level=50), 4),
        (50002, imagecodecs.jpegxl_encode(pixels), 4),
        (50002, imagecodecs.jpegxl_encode(pixels, usecontainer=True), 4),
        (22610, imagecodecs.jpegxr_encode(pixels), 4),
    ):
        assert values_of(compression, data) == shape[0] * shape[1] * channels


@pytest.mark.parametrize("name", ["a.mrxs", "a.VSI"])
def test_an_overview_is_not_taken_for_the_slide_it_belongs_to(tmp_path, name):
    path = tmp_path / name
    Image.new("RGB", (20, 20)).save(path, format="JPEG" if name.endswith("mrxs") else "TIFF")
    refused(path, "lacks the f")
