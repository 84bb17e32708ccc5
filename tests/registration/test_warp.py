"""The moving slide in the fixed slide's frame: the right pixels, any window, and a pyramid that opens."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from known_pair import MPP, write_slide

from diffuscope.registration import Transform, read_warped, write_warped
from diffuscope.registration import warp as module
from diffuscope.registration.transform import Bend
from diffuscope.results.result import open_result
from diffuscope.scans import open_scan, read_region

SAME = Transform(np.eye(2), np.zeros(2))


@pytest.fixture(scope="module")
def slide(he_path):
    return open_scan(he_path)


def window(slide, transform, **place):
    return read_warped(slide, transform, mpp=MPP, **place)


def test_nothing_moved_is_the_slide_itself(slide, he):
    place = {"y": 100, "x": 333, "height": 200, "width": 150}
    np.testing.assert_array_equal(window(slide, SAME, **place), he[100:300, 333:483])


def test_a_shift_by_whole_pixels_moves_them(slide, he):
    shifted = Transform(np.eye(2), np.array([30.0, -50.0]) * MPP)
    place = {"y": 100, "x": 333, "height": 200, "width": 150}
    np.testing.assert_array_equal(window(slide, shifted, **place), he[50:250, 363:513])


def test_what_the_moving_slide_does_not_show_is_white(slide, he):
    shifted = Transform(np.eye(2), np.array([-100.0, 0.0]) * MPP)
    got = window(slide, shifted, y=0, x=0, height=50, width=300)
    assert (got[:, :100] == 255).all()
    np.testing.assert_array_equal(got[:, 100:], he[:50, :200])
    far = Transform(np.eye(2), np.array([0.0, 1e6]))
    assert (window(slide, far, y=0, x=0, height=50, width=300) == 255).all()


def test_a_window_is_a_part_of_the_whole(slide):
    bend = Bend((-150.0, -150.0), (150.0, 150.0), np.random.default_rng(0).uniform(-10, 10, (2, 8, 8)))
    transform = Transform(np.array([[0.99, -0.1], [0.1, 0.99]]), np.array([20.0, -30.0]), bend)
    whole = window(slide, transform, y=0, x=0, height=700, width=700)
    part = window(slide, transform, y=37, x=411, height=300, width=111)
    # One step of rounding may differ: places are sums in another order.
    assert np.abs(part.astype(int) - whole[37:337, 411:522]).max() <= 1
    # Against the map at every pixel, instead of at knots.
    rows, columns = np.mgrid[37:337, 411:522] + 0.5
    exact = transform.to_moving(np.stack([columns, rows], axis=-1) * MPP)
    knots = module._places(transform, MPP, (37, 411), (300, 111))
    assert np.abs(knots - exact).max() < 0.1


def test_a_coarse_window_is_averaged_not_skipped(slide):
    got = read_warped(slide, SAME, mpp=4 * MPP, y=10, x=20, height=60, width=50)
    np.testing.assert_array_equal(got, read_region(slide, y=10, x=20, height=60, width=50, factor=4.0))


def test_the_pyramid_opens_as_a_result_and_as_a_slide(tmp_path, slide, he, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 512)
    fixed = open_scan(write_slide(tmp_path / "fixed.ome.tif", he[:700, :600]))
    shifted = Transform(np.eye(2), np.array([-64.0, 10.0]) * MPP)
    path = tmp_path / "out.ome.zarr"
    record = {"inputs": {"fixed": {"mpp_stated": MPP}}}
    told = [(at.done, at.total) for at in write_warped(path, slide, shifted, fixed=fixed, record=record)]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    result = open_result(path)
    assert result.complete and result.record == record and result.mpp == MPP
    levels = result.images["registered"]
    assert [level.shape for level in levels] == [(700, 600, 3), (350, 300, 3), (175, 150, 3)]
    expected = window(slide, shifted, y=0, x=0, height=700, width=600)
    np.testing.assert_array_equal(np.asarray(levels[0]), expected)
    coarse = expected.reshape(350, 2, 300, 2, 3).mean(axis=(1, 3))
    assert np.abs(np.asarray(levels[1]) - coarse).max() <= 0.5
    scan = open_scan(path)
    assert scan.rgb and scan.mpp == pytest.approx(MPP) and scan.shape == fixed.shape


def test_memory_does_not_grow_with_the_slide(slide, monkeypatch):
    read = []

    def watch(scan, *, y, x, height, width, factor, fill):
        read.append((height, width))
        return read_region(scan, y=y, x=x, height=height, width=width, factor=factor, fill=fill)

    monkeypatch.setattr(module, "read_region", watch)
    window(slide, SAME, y=500, x=500, height=100, width=100)
    assert len(read) == 1 and max(read[0]) <= 104
    # A slide of 100,000 px a side is seen through the window only.
    vast = SimpleNamespace(mpp=MPP, shape=(100_000, 100_000))
    monkeypatch.setattr(module, "read_region", lambda *_, height, width, **__: np.zeros((height, width, 3), np.uint8))
    assert window(vast, SAME, y=99_000, x=99_000, height=64, width=64).shape == (64, 64, 3)
