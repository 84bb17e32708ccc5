"""Levels of a slide as napari slices them, against numpy on the same pixels; nothing is read twice, nothing by dask."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import tifffile

pytest.importorskip("napari")

from napari.layers import Image

from diffuscope.plugin.layers.inputs.scan_level import ScanLevel, scan_levels
from diffuscope.plugin.layers.reader import scan_layers
from diffuscope.scans import open_scan

SHAPE = (700, 500)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[Path, np.ndarray]]:
    """A picture in colour and one of two channels, in tiles, by what they are."""
    made, numbers = {}, np.random.default_rng(0)
    for name, shape, about in (
        ("colour", (*SHAPE, 3), {"photometric": "rgb"}),
        ("channels", (2, *SHAPE), {"metadata": {"axes": "CYX"}, "photometric": "minisblack"}),
    ):
        pixels = numbers.integers(0, 255, shape, dtype=np.uint8)
        made[name] = tmp_path / f"{name}.ome.tif", pixels
        tifffile.imwrite(made[name][0], pixels, tile=(256, 256), **about)
    return made


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:],
        np.s_[100:300, 200:400],
        np.s_[5, 7],
        np.s_[-1, ::50],
        np.s_[40:40, :],
        np.s_[600:900, 450:],
        np.s_[..., 1],
        np.s_[250:260, ...],
    ],
)
def test_a_window_is_that_of_the_file(files: Any, key: Any):
    path, pixels = files["colour"]
    [[level, *_]] = scan_levels(open_scan(path))
    assert level.shape == pixels.shape and level.dtype == pixels.dtype
    np.testing.assert_array_equal(level[key], pixels[key])


def test_each_channel_is_a_layer_without_an_axis_for_it(files: Any):
    path, pixels = files["channels"]
    for number, (level, *_) in enumerate(scan_levels(open_scan(path))):
        assert level.shape == SHAPE
        np.testing.assert_array_equal(np.asarray(level), pixels[number])
        np.testing.assert_array_equal(level[300, 100:200], pixels[number, 300, 100:200])


def test_what_was_seen_is_not_read_again_and_dask_has_no_part_in_it(files: Any):
    [(data, about, _)] = scan_layers(open_scan(files["colour"][0]))
    with patch("dask.base.compute") as compute:
        layer = Image(data, **about)
        layer.refresh()
        with patch.object(ScanLevel, "_read") as read:
            layer.refresh()
    assert not read.called and not compute.called
