"""Levels of a result kept in memory, against numpy on the same pixels; what a job writes meanwhile is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import zarr

from diffuscope.plugin.layers.level import Level
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.result import open_result


@pytest.fixture
def array(tmp_path: Path) -> Any:
    """A level of 600 × 700 px as `diffuscope.results.layout` makes it, nothing written yet."""
    return zarr.create_array(
        tmp_path / "level",
        shape=(3, 600, 700),
        chunks=(3, 256, 256),
        dtype="uint8",
        fill_value=255,
        zarr_format=2,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:],
        np.s_[100:300, 200:600],
        np.s_[250:260, 250:260, :3],
        np.s_[5, 7],
        np.s_[-1, ::50, 3],
        np.s_[40:40, :],
        np.s_[500:900, 650:],
    ],
)
def test_a_window_is_that_of_the_array(array: Any, key: Any):
    array[:] = pixels = np.random.default_rng(0).integers(0, 255, (3, 600, 700), dtype=np.uint8)
    whole = np.concatenate([np.moveaxis(pixels, 0, -1), np.full((600, 700, 1), 255, np.uint8)], axis=-1)
    level = Level(array, fill=255)
    assert level.shape == whole.shape and level.dtype == whole.dtype
    np.testing.assert_array_equal(level[key], whole[key])


def test_what_is_not_on_disk_is_not_read_and_is_seen_once_it_is(array: Any):
    level = Level(array, fill=255)
    with patch.object(Level, "_read", side_effect=AssertionError):
        assert not np.asarray(level).any()
    array[:, 300:310, 300:310] = 9
    np.testing.assert_array_equal(level[305, 305], [9, 9, 9, 255])
    assert level[299, 299, 3] == 0


def test_after_renew_the_window_reads_nothing(array: Any):
    array[:] = 1
    level = Level(array, fill=255)
    assert level[0, 0, 0] == 1
    array[:] = 2
    level.renew()
    with patch.object(Level, "_read", side_effect=AssertionError):
        assert level[0, 0, 0] == 2


def test_after_renew_the_window_looks_at_no_file_but_for_what_nobody_asked_for_before(array: Any):
    array[:] = 1
    level = Level(array, fill=255)
    np.asarray(level[:256, :256])
    level.renew()
    array[:] = 2
    with patch("diffuscope.plugin.layers.level._file_stamp", side_effect=AssertionError):
        assert (level[:256, :256, :3] == 1).all()
    assert level[300, 300, 0] == 2
    level.renew()
    assert level[0, 0, 0] == 2


def test_at_no_step_of_a_pan_more_than_one_image_of_a_result_is_read_anew(result_folder: Path):
    """napari reads up to the edges of chunks, and again where a window leaves what was read."""
    utils = pytest.importorskip("napari.layers.utils.layer_utils")
    levels = [data[0] for data, _, _ in result_layers(open_result(result_folder))]

    def read(x: int) -> np.ndarray:
        window = np.array([[100, x, 0], [199, x + 99, 0]])
        return np.array(
            [
                utils.expand_corners_to_chunk_boundaries(window[:, : one.ndim], one, (0, 1))[:, :2].ravel()
                for one in levels
            ]
        )

    anew = [(read(x) != read(x - 1)).any(axis=1).sum() for x in range(1, 400)]
    assert len(levels) == 2 and max(anew) == 1 and sum(anew) > 4
