"""Colours of a TIFF: each way of storing them becomes what libtiff, Pillow or the specification makes of it."""

from __future__ import annotations

import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from raw_tiff import Tag, fractions, image_tags, long, places, short, write_tiff

from diffuscope.errors import InputError
from diffuscope.scans import open_scan

RNG = np.random.default_rng(7)
# Smooth colours: chroma that is shared must not be told from the rest by noise.
Y, X = np.mgrid[:70, :90]
PICTURE = np.stack([120 + 90 * np.sin(Y / 17), 128 + 100 * np.cos(X / 23), 40 + 2 * X], axis=-1).astype(np.uint8)


def read(path: Path) -> np.ndarray:
    height, width = open_scan(path).shape
    return open_scan(path).sources[0].read(0, height, 0, width)


def pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("how", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_ycbcr_is_what_pillow_makes_of_it(tmp_path, how):
    path = tmp_path / "a.tif"
    Image.fromarray(PICTURE).convert("YCbCr").save(path, compression=how)
    scan = open_scan(path)
    assert scan.rgb and scan.dtype == np.uint8
    assert np.abs(read(path).astype(int) - pillow(path)).max() <= 1
    if how != "jpeg":
        assert np.abs(read(path).astype(int) - PICTURE).max() <= 3


def write_raw(
    path: Path,
    data: bytes,
    *,
    compression: int = 1,
    photometric: int = 6,
    rows: int = 70,
    tags: tuple[Tag, ...] = (),
    tile: tuple[int, int] | None = None,
    counts: list[int] | None = None,
) -> None:
    """Write a TIFF of 90 × 70 px whose strips or tiles are given as they shall lie in the file."""
    counts = [len(data)] if counts is None else counts
    starts = [8 + sum(counts[:i]) for i in range(len(counts))]
    about = image_tags(90, 70, compression=compression, photometric=photometric)
    about = [tag for tag in about if tag[0] != 278]
    sides = [short(323, tile[0]), short(322, tile[1])] if tile else [long(278, rows)]
    write_tiff(path, [*about, *sides, *places(starts, counts, tiles=tile is not None), *tags], data)


def units_of(ycc: np.ndarray, across: int, down: int) -> bytes:
    """Return the data units of the specification: the luma of a block, then its Cb and Cr."""
    height, width = (-(-side // step) * step for side, step in zip(ycc.shape[:2], (down, across), strict=True))
    full = np.pad(ycc, ((0, height - ycc.shape[0]), (0, width - ycc.shape[1]), (0, 0)), mode="edge")
    out = bytearray()
    for y in range(0, height, down):
        for x in range(0, width, across):
            block = full[y : y + down, x : x + across]
            out += block[..., 0].tobytes() + bytes(block[..., 1:].reshape(-1, 2).mean(axis=0).astype(np.uint8))
    return bytes(out)


def test_subsampled_ycbcr_is_what_libtiff_makes_of_it(tmp_path):
    ycc = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))
    path = tmp_path / "a.tif"
    for across, down in ((2, 2), (4, 4), (2, 1), (4, 2), (1, 2)):
        sampling = short(530, across, down)
        units = units_of(ycc, across, down)
        for compression, stored in ((1, units), (8, zlib.compress(units)), (5, imagecodecs.lzw_encode(units))):
            write_raw(path, stored, compression=compression, tags=(sampling,))
            assert np.abs(read(path).astype(int) - PICTURE).max() < 25  # shared colours are less than the whole
            # Pillow takes no plain units; at the corner of 4 × 4 libtiff itself is wrong.
            if (across, down) != (4, 4) and compression != 1:
                assert np.abs(read(path).astype(int) - pillow(path)).max() <= 1


def test_subsampled_strips_and_tiles_lie_where_they_belong(tmp_path):
    ycc = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    write_raw(whole, units_of(ycc, 2, 2))
    # without the tag two and two px share a colour, as the specification says
    strips = [units_of(ycc[y : y + 16], 2, 2) for y in range(0, 70, 16)]
    write_raw(cut, b"".join(strips), rows=16, counts=[len(strip) for strip in strips])
    np.testing.assert_array_equal(read(cut), read(whole))
    padded = np.pad(ycc, ((0, 26), (0, 6), (0, 0)), mode="edge")
    tiles = [units_of(padded[y : y + 32, x : x + 48], 2, 2) for y in (0, 32, 64) for x in (0, 48)]
    write_raw(cut, b"".join(tiles), tile=(32, 48), counts=[len(tile) for tile in tiles])
    np.testing.assert_array_equal(read(cut), read(whole))
    write_raw(cut, units_of(ycc, 2, 2)[:-400])
    with pytest.raises(InputError, match=r"cut\.tif has a tile that cannot be read"):
        read(cut)


def test_reference_black_and_white_and_coefficients_are_heeded(tmp_path):
    path = tmp_path / "a.tif"
    ycc = RNG.integers(30, 220, (70, 90, 3)).astype(np.uint8)
    reference, weights = (16, 235, 128, 240, 128, 240), (0.2125, 0.7154, 0.0721)
    tags = (
        fractions(529, *(n for weight in weights for n in (round(weight * 10000), 10000))),
        short(530, 1, 1),
        fractions(532, *(n for value in reference for n in (value, 1))),
    )
    write_raw(path, zlib.compress(ycc.tobytes()), compression=8, tags=tags)
    y, cb, cr = np.moveaxis(ycc.astype(float), -1, 0)
    y, cb, cr = (y - 16) * 255 / 219, (cb - 128) * 127 / 112, (cr - 128) * 127 / 112
    red, blue = y + cr * (2 - 2 * 0.2125), y + cb * (2 - 2 * 0.0721)
    right = np.stack([red, (y - 0.0721 * blue - 0.2125 * red) / 0.7154, blue], axis=-1).clip(0, 255)
    assert np.abs(read(path) - right).max() <= 0.51
    assert np.abs(read(path).astype(int) - pillow(path)).max() <= 3
    for code, wrong in ((529, (0, 1, 0, 1, 0, 1)), (532, (5, 1, 5, 1, 128, 1, 255, 1, 128, 1, 255, 1))):
        broken = (
            *(tag for tag in tags if tag[0] != code),
            fractions(code, *wrong),
        )
        write_raw(path, zlib.compress(ycc.tobytes()), compression=8, tags=broken)
        with pytest.raises(InputError, match=rf"a\.tif has .*tag {code}"):
            open_scan(path)


@pytest.mark.parametrize("compression", [1, 7, 8])
def test_planes_of_ycbcr_are_converted_too(tmp_path, compression):
    path = tmp_path / "a.tif"
    planes = np.moveaxis(np.asarray(Image.fromarray(PICTURE).convert("YCbCr")), -1, 0)
    pack = {1: np.ndarray.tobytes, 7: lambda plane: imagecodecs.jpeg8_encode(plane, level=98), 8: zlib.compress}
    stored = [pack[compression](np.ascontiguousarray(plane)) for plane in planes]
    tags = (short(284, 2), short(530, 1, 1))
    write_raw(path, b"".join(stored), compression=compression, tags=tags, counts=[len(one) for one in stored])
    assert np.abs(read(path).astype(int) - PICTURE).max() <= (9 if compression == 7 else 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero_is_turned(tmp_path, dtype, compression):
    path = tmp_path / "a.tif"
    grey = RNG.integers(0, np.iinfo(dtype).max, (70, 90)).astype(dtype)
    tifffile.imwrite(path, np.iinfo(dtype).max - grey, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(read(path)[..., 0], grey)
    if dtype is np.uint8:
        np.testing.assert_array_equal(pillow(path)[..., 0], grey)


def test_a_palette_becomes_its_colours(tmp_path):
    path = tmp_path / "a.tif"
    numbers = RNG.integers(0, 256, (70, 90)).astype(np.uint8)
    for table in (RNG.integers(0, 2**16, (3, 256)), RNG.integers(0, 256, (3, 256)) * 257):
        tifffile.imwrite(path, numbers, photometric="palette", colormap=table.astype(np.uint16), compression="zlib")
        np.testing.assert_array_equal(read(path), (table >> 8).astype(np.uint8).T[numbers])
        np.testing.assert_array_equal(read(path), pillow(path))
    assert open_scan(path).rgb


@pytest.mark.parametrize("compression", [1, 8])
def test_bits_that_come_last_first_are_turned(tmp_path, compression):
    path = tmp_path / "a.tif"
    turned = np.packbits(np.unpackbits(PICTURE.reshape(-1, 1), axis=1)[:, ::-1], axis=1).tobytes()
    if compression != 1:
        packed = np.frombuffer(zlib.compress(PICTURE.tobytes()), np.uint8)
        turned = np.packbits(np.unpackbits(packed[:, None], axis=1)[:, ::-1], axis=1).tobytes()
    write_raw(path, turned, photometric=2, compression=compression, tags=(short(266, 2),))
    np.testing.assert_array_equal(read(path), PICTURE)


def test_jpeg_2000_of_aperio_that_is_ycbcr(tmp_path):
    path = tmp_path / "a.tif"
    ycc = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))
    tile = imagecodecs.jpeg2k_encode(ycc, codecformat="J2K", level=0, mct=False)
    for photometric in (2, 6):  # with no word on whether px share a colour, or on YCbCr itself
        write_raw(path, tile, compression=33003, photometric=photometric)
        assert np.abs(read(path).astype(int) - PICTURE).max() <= 3
    write_raw(path, imagecodecs.jpeg2k_encode(PICTURE, codecformat="J2K", level=0), compression=33005, photometric=2)
    assert np.abs(read(path).astype(int) - PICTURE).max() <= 3


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha", "unspecified"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_and_other_samples(tmp_path, planar, kind, dtype):
    path = tmp_path / "a.tif"
    top = float(np.iinfo(dtype).max)
    colour, alpha = RNG.random((70, 90, 3)), RNG.random((70, 90, 1))
    stored = np.concatenate([colour * (alpha if kind == "assocalpha" else 1), alpha], axis=-1)
    stored = np.rint(stored * top).astype(dtype)
    tifffile.imwrite(
        path, stored if planar == "contig" else np.moveaxis(stored, -1, 0), photometric="rgb", planarconfig=planar,
        extrasamples=[kind], tile=(32, 32), compression="zlib",
    )  # fmt: skip
    right = colour if kind == "unspecified" else colour * alpha + (1 - alpha)
    assert np.abs(read(path) / top - right).max() <= 1.6 / top
    assert bool(open_scan(path).notices) == (kind == "unspecified")


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (np.zeros((8, 8, 4), np.uint8), {"photometric": "separated"}, "inks"),
        (np.zeros((8, 8, 3), np.uint8), {"photometric": "cielab"}, r"L\*a\*b"),
        (np.zeros((8, 8, 3), np.float32), {"photometric": "rgb"}, "floating-point numbers of 32 bits, of which nobody"),
        (np.zeros((8, 8, 3), np.int16), {"photometric": "rgb"}, "signed numbers of 16 bits"),
        (np.zeros((8, 8, 3), np.uint32), {"photometric": "rgb"}, "whole numbers of 32 bits"),
        (np.zeros((8, 8), np.float32), {"photometric": "miniswhite"}, "inverted greys as signed or floating-point"),
        (np.zeros((8, 8, 3), np.uint16), {"photometric": "ycbcr"}, "YCbCr in 3 samples of 16 bits"),
        (np.zeros((8, 8), np.uint8), {"photometric": "minisblack", "compression": "png"}, "compressed as PNG"),
    ],
    ids=["cmyk", "lab", "float rgb", "signed rgb", "32-bit rgb", "float inverted", "16-bit ycbcr", "codec"],
)
def test_what_would_be_read_wrongly_is_refused(tmp_path, pixels, options, words):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, **options)
    with pytest.raises(InputError, match=words) as caught:
        open_scan(path)
    assert str(caught.value).startswith("a.tif ") and "save" in str(caught.value)
