"""Windows of a volume: each voxel from its place alone, against interpolation and means written out."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from diffuscope.scans.box import read_volume, volume_factors

NAMES = ("z", "y", "x", "depth", "height", "width")
factors = st.tuples(*[st.sampled_from([0.4, 0.5, 1.0, 1.2, 2.0, 3.7])] * 3)


def window(*box: int) -> dict[str, int]:
    return dict(zip(NAMES, box, strict=True))


def resampled_shape(shape: tuple[int, ...], by: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(ceil(Fraction(side) / Fraction(str(factor))) for side, factor in zip(shape, by, strict=True))


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    by=factors,
    start=st.tuples(*[st.integers(-4, 12)] * 3),
    size=st.tuples(*[st.integers(1, 8)] * 3),
    dtype=st.sampled_from(["float32", "int16", "uint8"]),
)
def test_a_window_read_alone_is_the_window_of_the_whole_resampled_volume(shape, by, start, size, dtype):
    volume = np.random.default_rng(0).uniform(0, 200, shape).astype(dtype)
    whole = read_volume(volume, **window(0, 0, 0, *resampled_shape(shape, by)), factors=by)[..., 0]
    found = read_volume(volume, **window(*start, *size), factors=by, fill=7)[..., 0]
    assert found.dtype == volume.dtype
    z, y, x = np.ix_(*(np.arange(s, s + n) for s, n in zip(start, size, strict=True)))
    inside = (y >= 0) & (y < whole.shape[1]) & (x >= 0) & (x < whole.shape[2])
    # The edge slices are repeated; beside the volume is nothing.
    place = [np.clip(i, 0, side - 1) for i, side in zip((z, y, x), whole.shape, strict=True)]
    np.testing.assert_array_equal(found, np.where(inside, whole[tuple(place)], np.asarray(7, dtype)))


def test_finer_voxels_are_interpolated_linearly_along_each_axis():
    volume = np.random.default_rng(1).uniform(0, 1, (7, 9, 8))
    by = (0.5, 0.4, 1.0)
    shape = resampled_shape(volume.shape, by)
    places = [(np.arange(n) + 0.5) * factor - 0.5 for n, factor in zip(shape, by, strict=True)]
    expected = map_coordinates(volume, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")
    found = read_volume(volume, **window(0, 0, 0, *shape), factors=by)[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("by", [(2.0, 1.0, 1.0), (1.0, 2.5, 3.0), (1.5, 4.0, 1.25)])
def test_coarser_voxels_are_means_over_what_they_cover(by):
    volume = np.random.default_rng(2).uniform(0, 1, (7, 9, 8))
    expected = volume
    for axis, factor in enumerate(by):
        lines = np.moveaxis(expected, axis, 0)
        means = []
        for i in range(ceil(len(lines) / factor)):
            low, high = i * factor, min((i + 1) * factor, len(lines))
            parts = [(min(high, p + 1) - max(low, p), lines[p]) for p in range(floor(low), ceil(high))]
            means.append(sum(part * line for part, line in parts) / (high - low))
        expected = np.moveaxis(np.stack(means), 0, axis)
    found = read_volume(volume, **window(0, 0, 0, *expected.shape), factors=by)[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_at_its_own_spacing_a_volume_is_read_as_it_is():
    volume = np.random.default_rng(3).integers(-1000, 2000, (5, 6, 7)).astype(">i2")
    found = read_volume(volume, **window(1, 2, 3, 3, 4, 4), factors=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(found[..., 0], volume[1:4, 2:6, 3:7])
    assert found.dtype == np.dtype("=i2")


def test_lazy_arrays_are_read_like_those_in_memory_and_only_where_needed(tmp_path):
    volume = np.random.default_rng(4).uniform(0, 1, (40, 30, 20)).astype(np.float32)
    on_disk = zarr.create_array(tmp_path / "volume.zarr", data=volume, chunks=(4, 8, 8))
    box, by = window(3, -2, 4, 4, 9, 9), (2.0, 1.5, 0.5)
    expected = read_volume(volume, **box, factors=by)
    seen = []

    class Watched:
        shape, dtype = volume.shape, volume.dtype

        def __getitem__(self, key):
            seen.append(volume[key].shape)
            return volume[key]

    for lazy in (on_disk, da.from_array(volume, chunks=(4, 8, 8)), Watched()):
        np.testing.assert_array_equal(read_volume(lazy, **box, factors=by), expected)
    assert seen == [(8, 11, 6)]


def test_a_factor_near_one_is_one_along_each_axis():
    found = volume_factors((3.0, 0.98, 0.5), (1.0, 1.0, 1.0))
    assert found == (pytest.approx(1 / 3), 1.0, 2.0)
