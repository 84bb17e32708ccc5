"""DICOM slides: the pixels that pydicom and OpenSlide find, whatever way they are cut, packed and listed."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile
from made_slide import ENCODERS, JPEG, cut, write_slide

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_input, open_scan, open_volume
from diffuscope.scans.formats.dicom.slides.frames import unpack

RNG = np.random.default_rng(5)
TILE = (64, 48)
RGB = RNG.integers(0, 256, (150, 130, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (150, 130, 1), dtype=np.uint16)
FRAMES = cut(RGB, TILE)


@pytest.fixture
def real(shared: Path) -> Path:
    return shared / "data/slides/CMU-1-Small-Region-dicom"


def test_a_real_slide_is_what_openslide_finds_and_lies_where_its_svs_lies(real, shared) -> None:
    scan, svs = open_input(real), open_scan(shared / "data/slides/CMU-1-Small-Region.svs")
    assert (scan.format, scan.rgb, scan.mpp, scan.shape) == ("DICOM slide", True, 0.499, svs.shape)
    file = max(real.iterdir(), key=lambda one: one.stat().st_size)
    with openslide.OpenSlide(file) as other:
        expected = np.asarray(other.read_region((0, 0), 0, other.dimensions))[..., :3]
        beside = {key: np.asarray(picture)[..., :3] for key, picture in other.associated_images.items()}
    np.testing.assert_array_equal(scan.levels[0].compute(), expected)
    for key in ("label", "macro", "thumbnail"):
        np.testing.assert_array_equal(scan.associated[key].compute(), beside[key])
    # This file was compressed a second time, and its colours halved: a few greys off, and nothing is moved.
    apart = np.abs(scan.levels[0].compute().astype(float) - svs.levels[0].compute())
    assert 2 < apart.mean() < 3 and apart.max() <= 108
    assert scan.is_on_grid_of(svs)
    alone = open_scan(file)
    assert alone.fingerprint == scan.fingerprint
    np.testing.assert_array_equal(alone.levels[0].compute(), expected)
    with pytest.raises(InputError, match="no volume"):
        open_volume(real)


def test_the_tiles_of_an_svs_put_into_a_dicom_slide_give_the_same_pixels(tmp_path) -> None:
    svs = sample_path("CMU-1-Small-Region.svs")
    with tifffile.TiffFile(svs) as tif:
        page = tif.pages[0]
        shape, tile = (page.imagelength, page.imagewidth), (page.tilelength, page.tilewidth)
        tables, frames = page.jpegtables, []
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            tif.filehandle.seek(start)
            data = tif.filehandle.read(count)
            frames.append(tables[:-2] + data[2:])  # one whole JPEG: its tables before its picture
    for table in ("basic", "extended", "none"):
        path = write_slide(tmp_path / table / "a.dcm", frames, shape, tile=tile, syntax=JPEG, mpp=0.499, table=table)
        scan = open_scan(path)
        assert scan.mpp == 0.499
        np.testing.assert_array_equal(scan.levels[0].compute(), open_scan(svs).levels[0].compute())


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", *ENCODERS])
def test_every_way_to_pack_tiles(tmp_path, syntax, table) -> None:
    for name, pixels in {"colour": RGB, "grey": GREY16[..., :1]}.items():
        path = write_slide(tmp_path / f"{name}.dcm", cut(pixels, TILE), (150, 130), syntax=syntax, table=table)
        scan = open_scan(path)
        assert (scan.rgb, scan.dtype, scan.mpp) == (name == "colour", pixels.dtype, 0.5)
        np.testing.assert_array_equal(scan.levels[0].compute(), pixels)
        np.testing.assert_array_equal(scan.sources[0].read(60, 131, 45, 99), pixels[60:131, 45:99])
        (tmp_path / f"{name}.dcm").unlink()


def test_a_jpeg_xl_is_unpacked_where_it_is_of_the_size_that_the_file_says() -> None:
    packed = imagecodecs.jpegxl_encode(RGB, lossless=True)
    syntax = "1.2.840.10008.1.2.4.110"  # which pydicom does not write yet
    np.testing.assert_array_equal(unpack(packed, RGB.shape, 8, syntax, "RGB"), RGB)
    with pytest.raises(ValueError, match="another size"):
        unpack(packed, (64, 48, 3), 8, syntax, "RGB")


def test_colours_that_lie_apart_or_as_ycbcr(tmp_path) -> None:
    apart = [np.moveaxis(frame, -1, 0).tobytes() for frame in FRAMES]
    scan = open_scan(write_slide(tmp_path / "a/a.dcm", apart, (150, 130), PlanarConfiguration=1))
    np.testing.assert_array_equal(scan.levels[0].compute(), RGB)
    soft = np.stack([np.add.outer(np.arange(64), np.arange(48))] * 3, -1).astype(np.uint8) + np.arange(
        3, dtype=np.uint8
    )
    for photometric, options in {"YBR_FULL_422": {}, "RGB": {"outcolorspace": "RGB"}}.items():
        packed = [imagecodecs.jpeg_encode(soft, level=98, colorspace="RGB", **options)]
        path = tmp_path / photometric / "a.dcm"
        scan = open_scan(write_slide(path, packed, TILE, syntax=JPEG, PhotometricInterpretation=photometric))
        assert np.abs(scan.levels[0].compute().astype(int) - soft).max() <= 3


def test_channels_are_optical_paths_each_read_alone(tmp_path) -> None:
    pixels = RNG.integers(0, 65536, (150, 130, 3), dtype=np.uint16)
    frames = [frame for number in range(3) for frame in cut(pixels[..., number : number + 1], TILE)]
    scan = open_scan(write_slide(tmp_path / "a.dcm", frames, (150, 130), paths=("DAPI", "CD3", "CK")))
    assert scan.channels == ("DAPI", "CD3", "CK") and not scan.rgb
    np.testing.assert_array_equal(scan.levels[0].compute(), pixels)
    np.testing.assert_array_equal(scan.channel(1).levels[0].compute()[..., 0], pixels[..., 1])


def test_tiles_that_say_where_they_lie_in_any_order_with_some_missing(tmp_path) -> None:
    places = [(y, x) for y in (0, 64, 128) for x in (0, 48, 96)]
    order = [7, 2, 0, 5, 8, 1, 3]
    expected = RGB.copy()
    for gone in set(range(9)) - set(order):
        y, x = places[gone]
        expected[y : y + 64, x : x + 48] = 255
    for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"):
        path = write_slide(
            tmp_path / "a.dcm", [FRAMES[n] for n in order], (150, 130), places=[places[n] for n in order], syntax=syntax
        )
        scan = open_scan(path)
        np.testing.assert_array_equal(scan.levels[0].compute(), expected)
        assert scan.sources[0].blank(64, 128, 48, 96) == 255.0 and scan.sources[0].blank(0, 64, 0, 48) is None


def test_of_channels_and_focal_planes_that_say_so_the_middle_one_is_taken(tmp_path) -> None:
    frames, places, paths, depths = [], [], [], []
    pixels = RNG.integers(0, 256, (3, 2, 64, 96, 1), dtype=np.uint8)
    for z in (2, 0, 1):
        for path in (1, 0):
            for x in (0, 48):
                frames.append(np.ascontiguousarray(pixels[z, path, :, x : x + 48]))
                places.append((0, x))
                paths.append(path)
                depths.append(float(z) * 1.5)
    scan = open_scan(
        write_slide(
            tmp_path / "a.dcm", frames, (64, 96), places=places, paths=("a", "b"), path_of=paths, depths=depths,
            TotalPixelMatrixFocalPlanes=3,
        )
    )  # fmt: skip
    np.testing.assert_array_equal(scan.levels[0].compute(), np.concatenate(pixels[1], axis=-1))
    assert scan.notices == ("a.dcm has 3 focal planes, of which number 2 is taken.",)
    in_order = [np.ascontiguousarray(pixels[z, 0, :, x : x + 48]) for z in range(3) for x in (0, 48)]
    full = open_scan(write_slide(tmp_path / "b/b.dcm", in_order, (64, 96), TotalPixelMatrixFocalPlanes=3))
    np.testing.assert_array_equal(full.levels[0].compute(), pixels[1, 0])


def test_levels_labels_and_files_of_one_image_come_together(tmp_path) -> None:
    small = RGB[::2, ::2]
    write_slide(
        tmp_path / "s/2.dcm", cut(small, TILE), small.shape[:2], ImageType=["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    )
    write_slide(tmp_path / "s/label.dcm", cut(RGB, TILE), (150, 130), flavour="LABEL")
    for number, (start, stop) in enumerate(((0, 4), (4, 9))):
        write_slide(
            tmp_path / f"s/part{number}.dcm", FRAMES[start:stop], (150, 130),
            ConcatenationUID="1.2.9", ConcatenationFrameOffsetNumber=start, InConcatenationNumber=number + 1,
        )  # fmt: skip
    scan = open_scan(tmp_path / "s")
    assert scan.downsamples == (1.0, 2.0) and list(scan.associated) == ["label"]
    np.testing.assert_array_equal(scan.levels[0].compute(), RGB)
    np.testing.assert_array_equal(scan.levels[1].compute(), small)
    (tmp_path / "s/part0.dcm").unlink()
    with pytest.raises(InputError, match="one of several files of an image, of which others are missing"):
        open_scan(tmp_path / "s")


def test_what_is_refused_in_one_sentence(tmp_path) -> None:
    def refused(match: str, *args, **options) -> None:
        path = write_slide(tmp_path / "x/x.dcm", *args, **options)
        with pytest.raises(InputError, match=match):
            open_scan(path)
        path.unlink()

    refused(r"has 8 tiles of 9", FRAMES[:8], (150, 130))
    refused("tiles that overlap", FRAMES[:2], (150, 130), places=[(0, 0), (0, 47)])
    refused("tiles outside of its image", FRAMES[:2], (150, 130), places=[(0, 0), (0, 480)])
    refused("claims 4000000000 × 4000000000 px|more than any slide", FRAMES, (4_000_000_000, 4_000_000_000))
    refused("MONOCHROME1", cut(GREY16, TILE), (150, 130), PhotometricInterpretation="MONOCHROME1")
    refused("Rows|rows, columns", FRAMES, (150, 130), Rows=None)
    refused("not read: export it otherwise", [b"12"] * 9, (150, 130), syntax="1.2.840.10008.1.2.5")
    refused("claims 999999999 tiles", FRAMES, (150, 130), NumberOfFrames=999999999)
    refused("no DICOM slide, but other pictures of one .label.", FRAMES, (150, 130), flavour="LABEL")
    refused("cut off", FRAMES, (150, 130), NumberOfFrames=900, TotalPixelMatrixRows=150000)
    for number in (1, 2):
        write_slide(tmp_path / f"two/{number}.dcm", FRAMES, (150, 130), series=f"1.2.{number}")
    with pytest.raises(InputError, match=r"two holds 2 DICOM slides \(of 1.dcm, 2.dcm\)"):
        open_scan(tmp_path / "two")


def test_a_file_cut_off_anywhere_is_refused_or_says_which_tile_it_lacks(tmp_path) -> None:
    whole = write_slide(tmp_path / "x.dcm", FRAMES, (150, 130), syntax="1.2.840.10008.1.2.4.90").read_bytes()
    for length in range(200, len(whole), len(whole) // 60):
        (tmp_path / "x.dcm").write_bytes(whole[:length])
        with pytest.raises(InputError):
            open_scan(tmp_path / "x.dcm").levels[0].compute()


def test_a_tile_that_holds_a_larger_picture_is_not_unpacked(tmp_path) -> None:
    bomb = imagecodecs.jpeg2k_encode(np.zeros((5000, 5000, 3), np.uint8), level=0, reversible=True, codecformat="j2k")
    scan = open_scan(write_slide(tmp_path / "x.dcm", [bomb, *FRAMES[1:]], (150, 130), syntax="1.2.840.10008.1.2.4.90"))
    np.testing.assert_array_equal(scan.sources[0].read(64, 150, 0, 130), RGB[64:])
    tracemalloc.start()
    with pytest.raises(InputError, match=r"has a tile that cannot be read \(another size\)"):
        scan.sources[0].read(0, 10, 0, 10)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_head_without_end_is_not_read_to_its_end(tmp_path) -> None:
    path = write_slide(tmp_path / "x.dcm", FRAMES, (150, 130))
    start = path.read_bytes()
    at = start.index(b"\x00\x52\x29\x92SQ")  # the groups of all frames, now a sequence of empty items
    many = io.BytesIO()
    many.write(start[:at] + b"\x00\x52\x29\x92SQ\0\0" + b"\xff" * 4)
    many.write(b"\xfe\xff\x00\xe0\0\0\0\0" * 6_000_000)
    path.write_bytes(many.getvalue())
    with pytest.raises(InputError, match="more than 33 MB before its pixels"):
        open_scan(path)


def test_nothing_of_the_patient_is_told(tmp_path, capsys) -> None:
    scan = open_scan(write_slide(tmp_path / "x.dcm", FRAMES, (150, 130)))
    told = f"{scan.describe()} {scan.to_json()} {capsys.readouterr()}"
    assert "Somebody" not in told and "1234" not in told
