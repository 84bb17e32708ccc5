"""Slides of many makers, made here: pixels, µm/px and names come back, labels stay beside, files stay in place."""

from __future__ import annotations

import struct

import numpy as np
import openslide
import pytest
import tifffile
from made_scanner import SIDE, smooth, write_bif, write_czi, write_mrxs, write_ndpi, write_qptiff, write_scn, write_vms

from diffuscope.errors import InputError
from diffuscope.scans import open_scan

GREY = np.random.default_rng(3).integers(0, 60000, (3, 256, 320), dtype=np.uint16)


def near(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 4


def by_openslide(path) -> np.ndarray:
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]


def test_vms_reads_as_it_was_written_and_leaves_its_macro_beside(tmp_path) -> None:
    pixels = smooth(256, 640)
    scan = open_scan(write_vms(tmp_path / "a.vms", pixels))
    assert (scan.format, scan.mpp, scan.rgb, list(scan.associated)) == ("Hamamatsu VMS", 0.5, True, ["macro"])
    near(scan.levels[0].compute(), pixels)
    np.testing.assert_array_equal(scan.sources[0].read(100, 200, 500, 600), by_openslide(scan.path)[100:200, 500:600])
    assert scan.associated["macro"].compute().shape == (32, 80, 3)
    before = scan.fingerprint
    file = tmp_path / "image.jpg"
    file.write_bytes(file.read_bytes()[:-2] + b"\0\0")
    assert open_scan(scan.path).fingerprint != before


def test_ndpi_has_its_levels_and_leaves_its_macro_beside(tmp_path) -> None:
    pixels = smooth(256, 640)
    scan = open_scan(write_ndpi(tmp_path / "a.ndpi", pixels))
    assert (scan.format, scan.mpp, scan.rgb, scan.downsamples) == ("Hamamatsu NDPI", 0.5, True, (1.0, 2.0))
    near(scan.levels[0].compute(), pixels)
    near(scan.levels[1].compute(), pixels[::2, ::2])
    np.testing.assert_array_equal(scan.sources[0].read(100, 200, 500, 600), by_openslide(scan.path)[100:200, 500:600])
    assert {name: one.compute().shape for name, one in scan.associated.items()} == {"macro": (32, 64, 3)}
    (tmp_path / "b.ndpi").write_bytes(scan.path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"b\.ndpi"):
        open_scan(tmp_path / "b.ndpi")


def test_mirax_is_white_where_nothing_was_scanned(tmp_path) -> None:
    pixels = smooth(4 * SIDE, 5 * SIDE)
    scan = open_scan(write_mrxs(tmp_path / "a.mrxs", pixels, left_out=(7,)))
    assert (scan.format, scan.mpp) == ("MIRAX", 0.25)
    pixels[SIDE : 2 * SIDE, 2 * SIDE : 3 * SIDE] = 255
    near(scan.levels[0].compute(), pixels)


def test_the_tiles_of_a_bif_lie_where_its_joints_say(tmp_path) -> None:
    pixels = smooth(120, 120)
    scan = open_scan(write_bif(tmp_path / "a.bif", pixels, overlap=8))
    assert (scan.format, scan.mpp) == ("Ventana BIF", 0.25)
    near(scan.levels[0].compute(), pixels)


def test_scn_has_channels_and_levels_and_its_overview_is_told(tmp_path) -> None:
    scan = open_scan(write_scn(tmp_path / "a.scn", GREY))
    assert (scan.format, scan.mpp, scan.downsamples) == ("Leica SCN", 0.5, (1.0, 2.0))
    np.testing.assert_array_equal(scan.levels[0].compute(), np.moveaxis(GREY, 0, -1))
    assert list(scan.associated) == ["macro"]
    text = (tmp_path / "a.scn").read_bytes().replace(b'c="2" ifd="3"', b'c="99999"    ')
    (tmp_path / "b.scn").write_bytes(text)
    with pytest.raises(InputError, match="claims 200000 channels or planes"):
        open_scan(tmp_path / "b.scn")


def test_qptiff_names_its_channels_and_keeps_its_label_apart(tmp_path) -> None:
    scan = open_scan(write_qptiff(tmp_path / "a.qptiff", GREY, ["DAPI", "CD3", "CK"]))
    assert (scan.format, scan.mpp, scan.channels) == ("QPTIFF", 0.5, ("DAPI", "CD3", "CK"))
    np.testing.assert_array_equal(scan.levels[0].compute(), np.moveaxis(GREY, 0, -1))
    np.testing.assert_array_equal(scan.levels[1].compute(), np.moveaxis(GREY[:, ::2, ::2], 0, -1))
    assert sorted(scan.associated) == ["label", "macro", "thumbnail"]


def test_channels_that_are_cut_otherwise_than_the_first_are_refused(tmp_path) -> None:
    path = write_scn(tmp_path / "a.scn", GREY)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = file.pages[2].tags
        for name, value in (("TileWidth", 4096), ("TileLength", 4096), ("TileOffsets", 16), ("TileByteCounts", 8)):
            # An entry of a BigTIFF: number and type, then how many values, then the value.
            at = tags[name].offset + 4
            data[at : at + 16] = struct.pack(f"{file.byteorder}QQ", 1, value)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.scn is damaged: its channels are not of the same number of tiles"):
        open_scan(path)


def test_philips_says_its_pixel_size_in_its_description(tmp_path) -> None:
    about = (
        '<?xml version="1.0"?><DataObject ObjectType="DPUfsImport"><Attribute Name="DICOM_PIXEL_SPACING" Group="0x0028"'
        ' Element="0x0030" PMSVR="IDoubleArray">&quot;0.00025&quot; &quot;0.00025&quot;</Attribute></DataObject>'
    )
    pixels = smooth(128, 192)
    with tifffile.TiffWriter(tmp_path / "a.tiff") as file:
        file.write(
            pixels, photometric="rgb", tile=(64, 64), description=about, software="Philips DP v1.0", metadata=None
        )
    scan = open_scan(tmp_path / "a.tiff")
    assert (scan.format, scan.mpp) == ("Philips TIFF", 0.25)
    np.testing.assert_array_equal(scan.levels[0].compute(), pixels)


def test_czi_by_slideio(tmp_path) -> None:
    pytest.importorskip("slideio")
    scan = open_scan(write_czi(tmp_path / "a.czi", GREY, ["DAPI", "CD3", "CK"]))
    assert (scan.format, scan.mpp, scan.channels, scan.rgb) == ("Zeiss CZI", 0.5, ("DAPI", "CD3", "CK"), False)
    np.testing.assert_array_equal(scan.levels[0].compute(), np.moveaxis(GREY, 0, -1))
    np.testing.assert_array_equal(scan.channel(1).levels[0].compute()[..., 0], GREY[1])
    (tmp_path / "b.czi").write_bytes((tmp_path / "a.czi").read_bytes()[:5000])
    with pytest.raises(InputError, match=r"b\.czi .*convert it to OME-TIFF"):
        open_scan(tmp_path / "b.czi").levels[0].compute()


@pytest.mark.parametrize("named", ["../image.jpg", "/etc/passwd", "link.jpg", "C:\\image.jpg"])
def test_a_table_may_name_no_file_outside_its_folder(tmp_path, named) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    path = write_vms(folder / "a.vms", smooth(64, 64))
    (folder / "image.jpg").rename(tmp_path / "image.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "image.jpg")
    path.write_text(path.read_text().replace("ImageFile=image.jpg", f"ImageFile={named}"))
    with pytest.raises(InputError, match=r"outside its folder|a link"):
        open_scan(path)


def test_what_lies_elsewhere_and_is_not_there_is_missed_by_name(tmp_path) -> None:
    (tmp_path / "a.mrxs").touch()
    with pytest.raises(InputError, match=r"a\.mrxs lacks the files that its pixels lie in \(Slidedat\.ini in a\)"):
        open_scan(tmp_path / "a.mrxs")
    (tmp_path / "a.vsi").write_bytes(b"II*\0" + bytes(100))
    with pytest.raises(InputError, match="lacks the folder _a_"):
        open_scan(tmp_path / "a.vsi")
    path = write_mrxs(tmp_path / "b.mrxs", smooth(SIDE, SIDE))
    (tmp_path / "b/Index.dat").write_bytes(b"01.02made-up" + b"\xff" * 40)
    with pytest.raises(InputError, match="cannot be read by OpenSlide"):
        open_scan(path)


@pytest.mark.parametrize(("ending", "library"), [("mrxs", "openslide"), ("vsi", "slideio"), ("czi", "slideio")])
def test_without_the_library_one_sentence_says_what_to_install(tmp_path, monkeypatch, ending, library) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == library else find(name, *rest))
    (tmp_path / f"a.{ending}").touch()
    with pytest.raises(InputError, match=rf'install {library}: pip install "diffuscope\[slides\]"'):
        open_scan(tmp_path / f"a.{ending}")


@pytest.mark.parametrize("axes", ["ZCYX", "CZYX", "ZYX"])
def test_of_a_stack_the_focal_plane_in_the_middle_is_taken_and_told(tmp_path, axes) -> None:
    sizes = {"Z": 5, "C": 2, "Y": 40, "X": 50}
    pixels = np.random.default_rng(1).integers(0, 255, [sizes[axis] for axis in axes], dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, photometric="minisblack", metadata={"axes": axes})
    scan = open_scan(tmp_path / "a.ome.tif")
    middle = pixels.take(2, axes.index("Z"))
    np.testing.assert_array_equal(
        scan.levels[0].compute(), np.moveaxis(middle, 0, -1) if "C" in axes else middle[..., None]
    )
    assert scan.notices == ("a.ome.tif has 5 focal planes (z), of which number 3 is taken.",)
