"""What cannot be read: one sentence that names the file."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_input, open_scan

GREY = np.random.default_rng(1).integers(0, 255, (200, 240), dtype=np.uint8)


def refused(path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        open_scan(path)
    sentence = str(caught.value)
    assert path.name in sentence
    assert "\n" not in sentence and sentence.endswith(".")


def test_missing_text_empty_and_folder(tmp_path) -> None:
    refused(tmp_path / "none.svs", "does not exist")
    text = tmp_path / "text.svs"
    text.write_text("This is not a slide.\n")
    refused(text, "none of these")
    text.write_bytes(b"")
    refused(text, "empty")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "folder")
    text.write_bytes(b"II*\0")
    refused(text, "truncated|damaged")
    text.write_bytes(b"II*\0" + bytes(range(200)))
    refused(text, "truncated|damaged")


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "TCGA-CR-7395.svs", "OS-1-detail.ome.tif"])
@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.999, -1])
def test_a_truncated_slide_is_refused_at_opening(tmp_path, name, part) -> None:
    data = sample_path(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: part if part < 0 else int(len(data) * part)])
    refused(path, "truncated|damaged")


@pytest.mark.parametrize(
    "options", [{}, {"tile": (64, 64)}, {"rowsperstrip": 8, "compression": "zlib"}, {"bigtiff": True}]
)
def test_a_truncated_tiff_is_refused_at_opening(tmp_path, options) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True, **{key: options[key] for key in options if key == "bigtiff"}) as file:
        rest = {key: options[key] for key in options if key != "bigtiff"}
        file.write(GREY, subifds=1, metadata={"axes": "YX"}, **rest)
        file.write(GREY[::2, ::2], subfiletype=1, **rest)
    data = path.read_bytes()
    open_scan(path)
    for length in range(8, len(data), len(data) // 23):
        path.write_bytes(data[:length])
        refused(path, "truncated|damaged")


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_truncated_pictures(tmp_path, name) -> None:
    path = tmp_path / name
    Image.fromarray(GREY).save(path)
    data = path.read_bytes()
    for length in (20, len(data) // 2, len(data) - 4):
        path.write_bytes(data[:length])
        refused(path, "truncated|no (PNG|JPEG)")


def test_a_tile_damaged_inside_is_told_when_it_is_read(tmp_path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + count] = bytes(count)
    path.write_bytes(data)
    scan = open_scan(path)
    np.testing.assert_array_equal(scan.levels[0][64:, 64:].compute()[..., 0], GREY[64:, 64:])
    with pytest.raises(InputError, match=r"a\.tif has a tile that cannot be read"):
        scan.levels[0][:10, :10].compute()


def test_kinds_of_image_that_are_not_read(tmp_path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([GREY] * 5), photometric="minisblack")
    refused(path, "stack of 5 planes")
    tifffile.imwrite(path, GREY > 100, photometric="minisblack")
    refused(path, "1-bit")
    tifffile.imwrite(path, GREY.astype(np.complex64))
    refused(path, "64-bit")


def test_zarr_folders_that_are_no_image(tmp_path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    refused(path, "no multiscales")
    group.attrs["multiscales"] = [{"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}]
    refused(path, "damaged")
    (path / ".zattrs").write_text("{")
    refused(path, "damaged")


def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=GREY, chunks=(64, 64), chunk_key_encoding={"name": "v2", "separator": "/"})
    group.attrs["multiscales"] = [{"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}]
    (path / "0" / "1" / "1").write_bytes(b"nonsense")
    scan = open_scan(path)
    np.testing.assert_array_equal(scan.levels[0][:64].compute()[..., 0], GREY[:64])
    with pytest.raises(InputError, match=r"a\.zarr has a chunk that cannot be read"):
        scan.levels[0][64:128, 64:128].compute()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path) -> None:
    for name in ("a.tif", "v.nii", "v.nrrd", "v.mha", "v.dcm"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match=r"is a pipe, a device"):
            open_input(tmp_path / name)


def test_of_a_png_no_byte_of_the_pixels_changes_without_a_word(tmp_path):
    """Of some damage the decoder only warns, on the terminal: checksums are looked at before it."""
    import imagecodecs

    pixels = np.random.default_rng(0).integers(0, 255, (24, 20, 3), dtype=np.uint8)
    whole = imagecodecs.png_encode(pixels)
    path, begins = tmp_path / "a.png", whole.index(b"IDAT") + 4
    for at in range(begins, whole.index(b"IEND") - 8, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"a\.png cannot be decoded"):
            np.asarray(open_scan(path).levels[0])
    path.write_bytes(whole)
    assert np.array_equal(np.asarray(open_scan(path).levels[0]), pixels)
