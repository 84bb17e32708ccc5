"""read_region against plain arithmetic: averages, interpolation, edges, and independence of the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import Scan, open_scan, read_region, resampling_factor

RNG = np.random.default_rng(0)
CMU = "CMU-1-Small-Region.svs"


def scan_of(*levels: np.ndarray, downsamples: tuple[float, ...] = (1.0,), mpp: float | None = None) -> Scan:
    """A scan whose levels are in memory, in chunks that no window fits."""
    return Scan(
        path=Path("memory.tif"),
        name="memory.tif",
        format="TIFF",
        levels=tuple(da.from_array(level, chunks=(7, 11, -1)) for level in levels),
        downsamples=downsamples,
        mpp=mpp,
        stated_mpp=mpp,
        notices=(),
        channels=("a",) * levels[0].shape[2],
        rgb=False,
        associated={},
        fingerprint="",
    )


def area_means(pixels: np.ndarray, above: int, below: int) -> np.ndarray:
    """Means over pixels of above/below px in float64: each px split into below² equal parts, blocks of above² parts."""
    parts = pixels.astype(np.float64).repeat(below, axis=0).repeat(below, axis=1)
    height, width = (-(-side // above) for side in parts.shape[:2])
    out = np.empty((height, width, pixels.shape[2]))
    for i in range(height):
        for j in range(width):
            out[i, j] = parts[i * above : (i + 1) * above, j * above : (j + 1) * above].mean(axis=(0, 1))
    return out


@settings(max_examples=60)
@given(
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    ratio=st.tuples(st.integers(1, 17), st.integers(1, 5)).filter(lambda r: r[0] >= r[1]),
)
def test_every_pixel_is_the_mean_of_its_area(sides: tuple[int, int], ratio: tuple[int, int]) -> None:
    above, below = ratio
    pixels = np.random.default_rng(sides[0]).random((*sides, 2))
    expected = area_means(pixels, above, below)
    height, width = expected.shape[:2]
    got = read_region(scan_of(pixels), y=0, x=0, height=height, width=width, factor=above / below)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    beyond = read_region(scan_of(pixels), y=height, x=0, height=1, width=width, factor=above / below, fill=7)
    assert (beyond == 7).all()


@settings(max_examples=80)
@given(
    factor=st.one_of(st.floats(0.3, 9.0), st.sampled_from([0.5, 1.0, 2.0, 0.5 / 0.499, 0.5 / 0.2271])),
    y=st.integers(-5, 60),
    x=st.integers(-5, 60),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
)
def test_a_pixel_is_the_same_to_the_bit_in_every_window(factor, y, x, height, width, dtype) -> None:
    pixels = (np.random.default_rng(1).random((53, 61, 3)) * 255).astype(dtype)
    scan = scan_of(pixels, pixels[::2, ::2], downsamples=(1.0, 2.0))
    whole = read_region(scan, y=-5, x=-5, height=260, width=260, factor=factor)
    window = read_region(scan, y=y, x=x, height=height, width=width, factor=factor)
    assert window.dtype == dtype
    np.testing.assert_array_equal(window, whole[y + 5 : y + 5 + height, x + 5 : x + 5 + width])


def test_integers_are_rounded_once() -> None:
    # Rounding after each axis would differ from this in about one pixel of eight.
    pixels = RNG.integers(0, 256, (30, 30, 3), dtype=np.uint8)
    got = read_region(scan_of(pixels), y=0, x=0, height=10, width=10, factor=3.0)
    np.testing.assert_array_equal(got, np.rint(area_means(pixels, 3, 1)))


@pytest.mark.parametrize("factor", [0.25, 0.5, 0.73, 0.99])
def test_finer_than_the_slide_is_linear_interpolation(factor: float) -> None:
    pixels = RNG.random((20, 24, 2))
    height, width = int(20 / factor), int(24 / factor)
    got = read_region(scan_of(pixels), y=0, x=0, height=height, width=width, factor=factor)
    y, x = np.meshgrid(*((np.arange(n) + 0.5) * factor - 0.5 for n in (height, width)), indexing="ij")
    for channel in range(2):
        expected = ndimage.map_coordinates(pixels[..., channel], (y, x), order=1, mode="nearest")
        np.testing.assert_allclose(got[..., channel], expected, atol=1e-12)


def test_a_level_is_raw_at_its_own_factor_and_the_next_finer_one_otherwise() -> None:
    levels = [np.full((64 // 2**k, 64 // 2**k, 1), 10.0 * k) for k in range(3)]
    scan = scan_of(*levels, downsamples=(1.0, 2.0, 4.0))
    means = {
        factor: read_region(scan, y=0, x=0, height=3, width=3, factor=factor).mean()
        for factor in (1, 1.9, 2, 3.9, 4, 6)
    }
    assert means == {1: 0, 1.9: 0, 2: 10, 3.9: 10, 4: 20, 6: 20}


def test_a_level_that_ends_before_the_slide_gives_its_last_pixel() -> None:
    fine = RNG.random((9, 9, 1))
    coarse = fine[:8, :8].reshape(4, 2, 4, 2, 1).mean(axis=(1, 3))
    scan = scan_of(fine, coarse, downsamples=(1.0, 2.0))
    got = read_region(scan, y=0, x=0, height=6, width=6, factor=2.0, fill=9)
    np.testing.assert_allclose(got[:4, :4], coarse)
    np.testing.assert_allclose(got[4, :4], coarse[3])  # level-0 row 8 is on the slide, but on no level-1 pixel
    assert (got[5] == 9).all() and (got[:, 5] == 9).all()


def test_a_level_with_a_fractional_downsample() -> None:
    coarse = RNG.random((21, 21, 1))
    scan = scan_of(np.zeros((50, 50, 1)), coarse, downsamples=(1.0, 50 / 21))
    got = read_region(scan, y=0, x=0, height=10, width=10, factor=5.0)
    np.testing.assert_allclose(got, area_means(coarse, 21, 10), atol=1e-9)


def test_outside_the_slide_is_fill() -> None:
    scan = scan_of(RNG.integers(0, 200, (10, 10, 3), dtype=np.uint8))
    got = read_region(scan, y=-2, x=8, height=5, width=5, factor=1.0)
    assert (got[:2] == 255).all() and (got[:, 2:] == 255).all()
    np.testing.assert_array_equal(got[2:, :2], scan.levels[0].compute()[:3, 8:])
    for y, x in ((-20, 0), (0, 10), (99, 99)):
        assert (read_region(scan, y=y, x=x, height=5, width=5, factor=1.0, fill=3) == 3).all()


def test_real_slide_raw_and_reduced() -> None:
    pixels = tifffile.imread(sample_path(CMU))
    scan = open_scan(sample_path(CMU))
    raw = read_region(scan, y=1100, x=700, height=288, width=288, factor=1.0)
    np.testing.assert_array_equal(raw, pixels[1100:1388, 700:988])
    reduced = read_region(scan, y=400, x=300, height=50, width=50, factor=1.5)
    expected = np.rint(area_means(pixels[600:675, 450:525], 3, 2))
    np.testing.assert_array_equal(reduced, expected)


def test_resampling_factor() -> None:
    scan = scan_of(np.zeros((4, 4, 3)), mpp=0.499)
    assert resampling_factor(scan, 0.5) == 1.0
    assert resampling_factor(replace(scan, mpp=0.25), 0.25 * 1.05) == 1.0
    assert resampling_factor(replace(scan, mpp=0.25), 0.25 * 1.06) == pytest.approx(1.06)
    assert resampling_factor(replace(scan, mpp=0.25), 0.25 * 0.94) == pytest.approx(0.94)
    assert resampling_factor(replace(scan, mpp=0.25), 0.5) == 2.0
    with pytest.raises(InputError, match=r"memory\.tif .*--mpp"):
        resampling_factor(replace(scan, mpp=None), 0.5)
