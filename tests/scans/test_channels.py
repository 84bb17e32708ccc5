"""One channel of several, read alone: the same pixels at every level, and nothing of the others decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from diffuscope.errors import InputError
from diffuscope.scans import open_scan, read_region
from diffuscope.scans.channels import find_channel, one_channel
from diffuscope.scans.formats.tiff_level import TiffLevel
from diffuscope.scans.formats.tiff_pieces import Pieces
from diffuscope.scans.source import Source

NAMES = ("CD3", "DAPI", "CD31")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60000, (3, 1300, 700)).astype(np.uint16)


def planes(path: Path, pixels: np.ndarray) -> Path:
    about = {"axes": "CYX", "Channel": {"Name": list(NAMES)}}
    tifffile.imwrite(path, pixels, photometric="minisblack", tile=(256, 256), compression="zlib", metadata=about)
    return path


def together(path: Path, pixels: np.ndarray) -> Path:
    tifffile.imwrite(path, np.moveaxis(pixels, 0, -1), photometric="rgb", tile=(256, 256))
    return path


def ome_zarr(path: Path, pixels: np.ndarray) -> Path:
    root = zarr.create_group(store=path, zarr_format=2)
    root.create_array("0", data=pixels, chunks=(1, 256, 256))
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    root.attrs["omero"] = {"channels": [{"label": name} for name in NAMES]}
    return path


@pytest.mark.parametrize("write", [planes, together, ome_zarr])
def test_a_channel_has_its_own_pixels_at_every_level(tmp_path, pixels, write):
    scan = open_scan(write(tmp_path / "s.ome.tif", pixels))
    one = one_channel(scan, 2)
    assert one.shape == scan.shape and not one.rgb and len(one.channels) == 1
    assert one.fingerprint == scan.fingerprint
    for whole, own in zip(scan.levels, one.levels, strict=True):
        np.testing.assert_array_equal(np.asarray(own)[..., 0], np.asarray(whole)[..., 2])
    box = {"y": 20, "x": -5, "height": 300, "width": 100, "factor": 2.5}
    np.testing.assert_array_equal(read_region(one, **box)[..., 0], read_region(scan, **box)[..., 2])


def test_of_planes_only_one_is_decoded(tmp_path, pixels, monkeypatch):
    scan = open_scan(planes(tmp_path / "s.ome.tif", pixels))
    seen = []
    chunk, piece = TiffLevel._chunk, Pieces.read
    planes_of = []
    monkeypatch.setattr(TiffLevel, "_chunk", lambda self, *at: planes_of.append(len(self._planes)) or chunk(self, *at))
    monkeypatch.setattr(Pieces, "read", lambda self, *which: seen.append(planes_of[-1]) or piece(self, *which))
    read_region(one_channel(scan, 1), y=0, x=0, height=256, width=256, factor=1.0)
    assert seen == [1]
    read_region(scan, y=0, x=0, height=256, width=256, factor=1.0)
    assert seen == [1, 3, 3, 3]


def test_a_scan_of_one_channel_is_that_channel(tmp_path, pixels):
    scan = open_scan(planes(tmp_path / "s.ome.tif", pixels))
    assert one_channel(one_channel(scan, 1), 0).channels == ("DAPI",)
    assert all(isinstance(source, Source) for source in one_channel(scan, 1).sources)


@pytest.mark.parametrize(("wanted", "number"), [("CD31", 2), ("cd3", 0), ("1", 1), (" DAPI ", 1)])
def test_a_channel_is_named_or_numbered(wanted, number):
    assert find_channel(NAMES, wanted, "s") == number


@pytest.mark.parametrize("wanted", ["CD8", "3", "-1", ""])
def test_a_channel_that_is_not_there_is_refused_with_those_that_are(wanted):
    with pytest.raises(InputError, match="0 CD3, 1 DAPI, 2 CD31"):
        find_channel(NAMES, wanted, "s")
    with pytest.raises(InputError):
        find_channel(("a", "a"), "a", "s")
