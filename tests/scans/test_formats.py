"""open_scan on files written here: what each format may hold, read back."""

from __future__ import annotations

import json

import numpy as np
import ome_zarr.format
import ome_zarr.writer
import pytest
import tifffile
import zarr
from PIL import Image

from diffuscope.errors import InputError
from diffuscope.scans import open_scan

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (300, 420, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 60000, (4, 200, 260), dtype=np.uint16)


def half(pixels: np.ndarray) -> np.ndarray:
    """Means of 2×2 pixels of an even image."""
    h, w = pixels.shape[:2]
    return pixels.reshape(h // 2, 2, w // 2, 2, -1).mean(axis=(1, 3)).round().astype(pixels.dtype)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": (64, 96)},
        {"tile": (64, 96), "compression": "zlib"},
        {"rowsperstrip": 7, "compression": "zlib"},
        {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
        {"compression": "jpeg2000", "tile": (64, 64), "compressionargs": {"reversible": True}},
        {"byteorder": ">"},
        {"bigtiff": True, "tile": (128, 128)},
    ],
)
def test_plain_tiff_in_many_layouts(tmp_path, options) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", **options)
    scan = open_scan(path)
    assert (scan.format, scan.mpp, scan.rgb, scan.dtype) == ("TIFF", None, True, np.uint8)
    np.testing.assert_array_equal(scan.levels[0].compute(), RGB)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_planar_and_16_bit_tiff(tmp_path, compression, byteorder) -> None:
    path = tmp_path / "a.tif"
    pixels = RNG.integers(0, 65536, (3, 100, 120), dtype=np.uint16)
    tifffile.imwrite(
        path, pixels, photometric="rgb", planarconfig="separate", compression=compression, byteorder=byteorder
    )
    scan = open_scan(path)
    assert scan.rgb and scan.dtype == np.uint16
    np.testing.assert_array_equal(scan.levels[0].compute(), np.moveaxis(pixels, 0, -1))


@pytest.mark.parametrize("subifds", [True, False])
def test_pyramid_in_subifds_or_in_pages(tmp_path, subifds) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(RGB, photometric="rgb", tile=(64, 64), subifds=1 if subifds else None, metadata=None)
        file.write(half(RGB), photometric="rgb", tile=(64, 64), subfiletype=1, metadata=None)
    scan = open_scan(path)
    assert scan.downsamples == (1.0, 2.0)
    np.testing.assert_array_equal(scan.levels[1].compute(), half(RGB))


def test_ome_tiff_with_channels_names_units_and_pyramid(tmp_path) -> None:
    path = tmp_path / "channels.ome.tif"
    names = ["DAPI", "CD3", "CK", "CD31"]
    coarse = np.moveaxis(half(np.moveaxis(GREY16, 0, -1)), -1, 0)
    size = {"PhysicalSizeX": 325.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.000325, "PhysicalSizeYUnit": "mm"}
    with tifffile.TiffWriter(path) as file:
        options = {"tile": (64, 64), "photometric": "minisblack", "compression": "zlib"}
        file.write(GREY16, subifds=1, metadata={"axes": "CYX", "Channel": {"Name": names}, **size}, **options)
        file.write(coarse, subfiletype=1, **options)
    scan = open_scan(path)
    assert (scan.format, scan.rgb, scan.channels, scan.dtype) == ("OME-TIFF", False, tuple(names), np.uint16)
    assert scan.mpp == pytest.approx(0.325)
    np.testing.assert_array_equal(scan.levels[0].compute(), np.moveaxis(GREY16, 0, -1))
    np.testing.assert_array_equal(scan.levels[1].compute(), np.moveaxis(coarse, 0, -1))


def test_other_images_of_an_ome_tiff(tmp_path) -> None:
    path = tmp_path / "series.ome.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(RGB[:100, :90], photometric="rgb", metadata={"axes": "YXS", "Name": "label image"})
        file.write(
            RGB,
            photometric="rgb",
            metadata={"axes": "YXS", "Name": "slide", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
        )
        file.write(RGB[:50, :50], photometric="rgb", metadata={"axes": "YXS", "Name": "something"})
    scan = open_scan(path)
    assert scan.mpp == 0.5  # that of the slide, not of the first image
    np.testing.assert_array_equal(scan.levels[0].compute(), RGB)
    np.testing.assert_array_equal(scan.associated["label"].compute(), RGB[:100, :90])
    assert scan.notices == ("series.ome.tif holds 1 more image(s); the largest is opened.",)


@pytest.mark.parametrize(
    ("resolution", "unit", "mpp"),
    [
        ((20000, 20000), "CENTIMETER", 0.5),
        ((50800, 50800), "INCH", 0.5),
        ((72, 72), "INCH", None),
        ((96, 96), "INCH", None),
        ((300, 300), "INCH", None),
        ((118.11, 118.11), "CENTIMETER", None),  # 300 dpi again
        ((20000, 20000), "NONE", None),
    ],
)
def test_a_resolution_tag_counts_only_where_it_can_be_a_microscopes(tmp_path, resolution, unit, mpp) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", resolution=resolution, resolutionunit=unit, metadata=None)
    assert open_scan(path).mpp == (None if mpp is None else pytest.approx(mpp))


def test_imagej_calibration(tmp_path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY16[0], imagej=True, resolution=(4.0, 4.0), metadata={"unit": "um"})
    assert open_scan(path).mpp == pytest.approx(0.25)
    tifffile.imwrite(path, GREY16[0], imagej=True, resolution=(72, 72), metadata={"unit": "inch"})
    assert open_scan(path).mpp is None


def test_pixels_that_are_not_square_are_refused_unless_told(tmp_path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", resolution=(20000, 10000), resolutionunit="CENTIMETER")
    with pytest.raises(InputError, match="not square"):
        open_scan(path)
    assert open_scan(path, mpp=0.5).mpp == 0.5


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_rgba_is_composited_over_white(tmp_path, suffix) -> None:
    alpha = RNG.integers(0, 256, (*RGB.shape[:2], 1), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    rgba = np.concatenate([RGB, alpha], axis=2)
    if suffix == "png":
        Image.fromarray(rgba).save(path)
    else:
        tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"], tile=(64, 64))
    scan = open_scan(path)
    part = alpha / 255
    expected = RGB * part + 255 * (1 - part)
    assert scan.rgb and scan.levels[0].shape[2] == 3
    assert np.abs(scan.levels[0].compute() - expected).max() <= 0.5 + 1e-9


def test_premultiplied_and_unspecified_fourth_sample(tmp_path) -> None:
    path = tmp_path / "a.tif"
    half_clear = np.full((20, 20, 4), (100, 50, 0, 128), dtype=np.uint8)
    tifffile.imwrite(path, half_clear, photometric="rgb", extrasamples=["assocalpha"])
    assert open_scan(path).levels[0].compute()[0, 0].tolist() == [227, 177, 127]
    tifffile.imwrite(path, half_clear, photometric="rgb", extrasamples=["unspecified"])
    scan = open_scan(path)
    assert scan.levels[0].compute()[0, 0].tolist() == [100, 50, 0]
    assert "left out" in scan.notices[0]


@pytest.mark.parametrize(
    ("mode", "name", "shape", "exact"),
    [
        ("RGB", "a.png", (3,), True),
        ("L", "a.png", (1,), True),
        ("P", "a.png", (3,), False),
        ("RGB", "a.jpg", (3,), False),
    ],
)
def test_pictures(tmp_path, mode, name, shape, exact) -> None:
    path = tmp_path / name
    image = Image.fromarray(RGB).convert(mode)
    image.save(path, dpi=(300, 300))
    scan = open_scan(path)
    with Image.open(path) as back:
        theirs = np.asarray(back.convert("RGB" if shape == (3,) else "L")).reshape(*RGB.shape[:2], -1)
    assert (scan.mpp, scan.rgb, scan.format) == (None, shape == (3,), "PNG" if name.endswith("png") else "JPEG")
    np.testing.assert_array_equal(scan.levels[0].compute(), theirs)
    if exact:
        np.testing.assert_array_equal(theirs, np.asarray(image).reshape(theirs.shape))


def test_16_bit_png_keeps_its_bits(tmp_path) -> None:
    from imagecodecs import png_encode

    pixels = RNG.integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png_encode(pixels))
    scan = open_scan(tmp_path / "a.png")
    assert scan.rgb and scan.dtype == np.uint16
    np.testing.assert_array_equal(scan.levels[0].compute(), pixels)
    (tmp_path / "g.png").write_bytes(png_encode(np.ascontiguousarray(pixels[..., 0])))
    np.testing.assert_array_equal(open_scan(tmp_path / "g.png").levels[0].compute(), pixels[..., :1])


@pytest.mark.parametrize(
    ("fmt", "version"), [(ome_zarr.format.FormatV04(), "0.4"), (ome_zarr.format.FormatV05(), "0.5")]
)
def test_ome_zarr(tmp_path, fmt, version) -> None:
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    fine = GREY16[:, np.newaxis]  # c, z, y, x
    coarse = np.moveaxis(half(np.moveaxis(GREY16, 0, -1)), -1, 0)[:, np.newaxis]
    axes = [
        {"name": "c", "type": "channel"},
        *({"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"),
    ]
    scales = [[{"type": "scale", "scale": [1.0, 1000.0, size, size]}] for size in (250.0, 500.0)]
    ome_zarr.writer.write_multiscale(
        [fine, coarse],
        group,
        fmt=fmt,
        axes=axes,
        coordinate_transformations=scales,
        storage_options={"chunks": (1, 1, 64, 64)},
    )
    omero = {"channels": [{"label": name, "color": "FFFFFF"} for name in "abcd"]}
    if version == "0.4":
        group.attrs["omero"] = omero
    else:
        group.attrs["ome"] = {**group.attrs["ome"], "omero": omero}
    scan = open_scan(path)
    assert (scan.format, scan.rgb, scan.channels) == (f"OME-Zarr {version}", False, ("a", "b", "c", "d"))
    assert scan.mpp == pytest.approx(0.25)
    assert scan.downsamples == (1.0, 2.0)
    assert scan.levels[0].chunksize == (64, 64, 4)
    np.testing.assert_array_equal(scan.levels[0].compute(), np.moveaxis(GREY16, 0, -1))
    np.testing.assert_array_equal(scan.levels[1].compute(), np.moveaxis(coarse[:, 0], 0, -1))


def write_zarr(path, pixels, axes, **attributes) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=pixels, chunks=pixels.shape)
    scale = [{"type": "scale", "scale": [0.5] * pixels.ndim}]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    ]
    group.attrs.update(attributes)


def channels(*pairs: tuple[str, str]) -> dict:
    return {"channels": [{"label": label, "color": color} for label, color in pairs]}


def test_which_three_channels_are_a_colour_image(tmp_path) -> None:
    axes = [{"name": name} for name in "cyx"]
    pixels = np.moveaxis(RGB, -1, 0)
    path = tmp_path / "a.zarr"
    write_zarr(path, pixels, axes)
    scan = open_scan(path)
    assert scan.rgb and scan.mpp is None  # a scale without a unit is no size
    np.testing.assert_array_equal(scan.levels[0].compute(), RGB)
    write_zarr(path, pixels, axes, omero=channels(("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF")))
    assert open_scan(path).rgb
    write_zarr(path, pixels, axes, omero=channels(("CD3", "FF0000"), ("CK", "00FF00"), ("DAPI", "0000FF")))
    assert not open_scan(path).rgb
    assert open_scan(path).channels == ("CD3", "CK", "DAPI")


def test_axes_order_and_stacks_of_ome_zarr(tmp_path) -> None:
    path = tmp_path / "a.zarr"
    write_zarr(path, RGB, [{"name": name} for name in "yxc"])
    np.testing.assert_array_equal(open_scan(path).levels[0].compute(), RGB)
    write_zarr(path, GREY16, [{"name": name} for name in "zyx"])
    with pytest.raises(InputError, match="stack of 4 planes"):
        open_scan(path)


def test_ome_zarr_as_bioformats2raw_lays_it_out(tmp_path) -> None:
    write_zarr(tmp_path / "a.zarr" / "0", RGB, [{"name": name} for name in "yxc"])
    zarr.open_group(tmp_path / "a.zarr", mode="a", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    assert json.loads((tmp_path / "a.zarr" / ".zattrs").read_text()) == {"bioformats2raw.layout": 3}
    np.testing.assert_array_equal(open_scan(tmp_path / "a.zarr").levels[0].compute(), RGB)
