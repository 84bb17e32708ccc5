"""Pixels in memory written for a run, read back with tifffile."""

from __future__ import annotations

import errno
import os
import tempfile

import dask.array as da
import numpy as np
import pytest
import tifffile

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.scratch import write_scratch
from diffuscope.scans import open_scan


def test_a_lazy_rgb_image_comes_back_with_its_pixels_and_its_scale():
    pixels = np.random.default_rng(0).integers(0, 255, (300, 410, 3), dtype=np.uint8)
    path = write_scratch(da.from_array(pixels, chunks=128), name="cut / out", mpp=0.25)
    try:
        np.testing.assert_array_equal(tifffile.imread(path), pixels)
        scan = open_scan(path)
        assert scan.mpp == pytest.approx(0.25) and scan.rgb and tuple(scan.shape) == (300, 410)
        assert path.name == "cut _ out.ome.tif"
    finally:
        path.unlink()
        path.parent.rmdir()


def test_an_unknown_scale_stays_unknown():
    path = write_scratch(np.zeros((300, 300, 3), np.uint8), name="a", mpp=None)
    try:
        assert open_scan(path).mpp is None
    finally:
        path.unlink()
        path.parent.rmdir()


def test_what_cannot_be_written_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    def full(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(InputError, match="“mine” could not be written to a temporary file: No space left on device"):
        write_scratch(np.zeros((300, 300, 3), np.uint8), name="mine", mpp=None)
    assert not list(tmp_path.iterdir())
