"""Foreground and range of what has no fixed scale: planted truth, percentiles written out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from diffuscope.scans import Foreground, open_scan
from diffuscope.scans.foreground import slide_foreground, volume_foreground
from diffuscope.scans.formats.tiff_level import TiffLevel
from diffuscope.scans.intensity import PERCENTILES, percentile_range, slide_range, to_range


def slide(path: Path, pixels: np.ndarray):
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="minisblack", metadata={"axes": "YX"})
    return open_scan(path)


def blob(side: int, *, background: float, signal: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Poisson counts: a disc of `signal` on `background`; and the disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    inside = (y - 0.4 * side) ** 2 + (x - 0.55 * side) ** 2 < (0.25 * side) ** 2
    return rng.poisson(np.where(inside, signal, background)).astype(np.uint16), inside


@pytest.mark.parametrize(("background", "signal"), [(100, 1000), (5, 20), (0.2, 2)])
def test_a_disc_is_found_over_noise(tmp_path, background, signal):
    pixels, inside = blob(1200, background=background, signal=signal)
    mask = slide_foreground([slide(tmp_path / "s.tif", pixels)])
    found = mask.mask.repeat(int(mask.downsample), 0).repeat(int(mask.downsample), 1)[:1200, :1200]
    # Rather too much than too little: all of it, and a rim that smoothing makes.
    assert (found & inside).sum() > 0.999 * inside.sum()
    assert found[distance_transform_edt(~inside) > 32].mean() < 0.005


def test_of_several_channels_each_counts(tmp_path):
    left, right = np.zeros((800, 800), np.uint16), np.zeros((800, 800), np.uint16)
    left[200:600, 50:350], right[200:600, 450:750] = 60000, 12
    mask = slide_foreground([slide(tmp_path / "a.tif", left), slide(tmp_path / "b.tif", right)])
    assert mask.fraction_in(220, 70, 360, 260) > 0.99 and mask.fraction_in(220, 470, 360, 260) > 0.99
    assert mask.fraction_in(650, 0, 150, 800) < 0.05


def test_where_nothing_differs_everything_counts(tmp_path):
    assert slide_foreground([slide(tmp_path / "s.tif", np.full((300, 300), 7, np.uint16))]).mask.all()


def test_the_range_is_the_foreground_s_at_the_model_s_resolution(tmp_path):
    pixels, inside = blob(1200, background=100, signal=1000)
    scan = slide(tmp_path / "s.tif", pixels)
    found = slide_range(scan, slide_foreground([scan]), factor=1.0)
    expected = np.percentile(pixels[inside], PERCENTILES)
    assert found[1] == pytest.approx(expected[1], rel=0.01)
    # Twice as coarse, the noise is half as wide.
    half = slide_range(scan, slide_foreground([scan]), factor=2.0)
    assert (half[1] - 1000) == pytest.approx((expected[1] - 1000) / 2, rel=0.15)


def test_bright_spots_that_a_coarse_level_would_lose_are_seen(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.poisson(20, (2000, 2000)).astype(np.uint16)
    y, x = rng.integers(0, 2000, (2, 60_000))
    pixels[y, x] = 5000
    scan = slide(tmp_path / "s.tif", pixels)
    assert slide_range(scan, slide_foreground([scan]), factor=1.0)[1] == 5000


def volume_of(voxels: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(shape=voxels.shape, voxels=voxels)


def test_a_body_is_found_in_air_and_specks_of_noise_are_not():
    rng = np.random.default_rng(0)
    voxels = rng.rayleigh(8, (20, 60, 50))
    z, y, x = np.mgrid[:20, :60, :50]
    body = (np.abs(z - 10) < 6) & ((y - 30) ** 2 + (x - 25) ** 2 < 20**2)
    lung = (np.abs(z - 10) < 3) & ((y - 30) ** 2 + (x - 25) ** 2 < 6**2)
    voxels[body & ~lung] += 150
    mask = volume_foreground([volume_of(voxels.astype(np.float32))], [None])
    assert mask.downsample == 1
    np.testing.assert_array_equal(mask.mask.any(axis=(1, 2)), body.any(axis=(1, 2)))
    assert (mask.mask & body).sum() > 0.999 * body.sum()
    assert not mask.mask[distance_transform_edt(~body, sampling=(1000, 1, 1)) > 3].any()
    assert mask.mask[10, 30, 25]


def test_boxes_of_a_coarse_mask_are_asked_in_voxels():
    mask = Foreground(np.zeros((4, 5, 6), bool), 3)
    mask.mask[2, 1, 4] = True
    assert mask.any_in(2, 5, 14, 1, 1, 1) and mask.any_in(0, 0, 0, 4, 15, 18)
    assert not mask.any_in(2, 6, 12, 1, 9, 6) and not mask.any_in(3, 0, 0, 1, 15, 18)
    assert mask.at((4, 14, 17)).shape == (4, 14, 17) and mask.at((4, 14, 17))[2, 4, 13]


@given(
    low=st.floats(-1e4, 1e4),
    width=st.floats(1e-2, 1e4),
    wanted=st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]),
    values=st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=20),
)
def test_values_are_mapped_linearly_and_clipped(low, width, wanted, values):
    found = to_range(np.array(values, np.float32), (low, low + width), wanted)
    part = np.clip((np.array(values) - low) / width, 0, 1)
    # float32 holds seven digits of what is mapped
    slack = (abs(low) + width) * 3e-7 / width * (wanted[1] - wanted[0]) + 1e-5
    np.testing.assert_allclose(found, wanted[0] + part * (wanted[1] - wanted[0]), atol=slack * 2)
    assert found.dtype == np.float32 and found.min() >= wanted[0] and found.max() <= wanted[1]


def test_stored_values_are_only_clipped():
    values = np.array([-3000, -200, 17, 299, 300, 4000], np.int16)
    np.testing.assert_array_equal(to_range(values, (-200, 300), (-200, 300)), np.clip(values, -200, 300))
    assert to_range(np.array([np.nan]), (2.0, 3.0), (0.0, 1.0))[0] == 0


def test_percentiles_of_nothing_and_of_one_value_are_a_range_too():
    assert percentile_range(np.zeros(0)) == (0.0, 1.0)
    assert percentile_range(np.full(5, 3.0)) == (3.0, 4.0)
    assert percentile_range(np.array([np.nan, 1.0, np.inf, 2.0])) == (1.005, 1.995)


def test_channels_looked_at_one_by_one_give_what_they_give_together(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 60, (5, 300, 400)).astype(np.uint16)
    pixels[:, 80:200, 100:300] += rng.integers(200, 900, (5, 120, 200)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, photometric="minisblack", metadata={"axes": "CYX"})
    together = open_scan(tmp_path / "a.ome.tif").foreground().mask
    monkeypatch.setattr("diffuscope.scans.foreground._TOGETHER", 1)
    seen = []
    read = TiffLevel.read
    monkeypatch.setattr(TiffLevel, "read", lambda self, *box: seen.append(self.shape[2]) or read(self, *box))
    np.testing.assert_array_equal(open_scan(tmp_path / "a.ome.tif").foreground().mask, together)
    assert set(seen) == {1} and together.any() and not together.all()
