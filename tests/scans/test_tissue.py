"""tissue_mask on real tiles and slides, and on slides with nothing on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from diffuscope.sample_data import sample_path
from diffuscope.scans import Foreground, open_scan, tissue_mask

CMU, OS1, TCGA = "CMU-1-Small-Region.svs", "OS-1-detail.ome.tif", "TCGA-CR-7395.svs"


def picture(path: Path, pixels: np.ndarray) -> Foreground:
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return tissue_mask(open_scan(path))


# Judged by eye: wholly tissue, or with the stated part of it.
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("almost-white.png", 0.0, 0.0),
        ("high-nuclei-score-level0.png", 0.97, 1.0),
        ("low-nuclei-score-level0.png", 0.5, 1.0),  # fat: more lumen than stain
        ("medium-nuclei-score-level0.png", 0.9, 1.0),
        ("medium-nuclei-score-level1-2.png", 0.97, 1.0),
        ("medium-nuclei-score-level1.png", 0.6, 0.9),  # a strip of loose fat
        ("medium-nuclei-score-level2.png", 0.75, 0.88),  # glass in a corner
        ("pen-mark-green.png", 0.4, 0.55),  # the upper half is under the pen
        ("tissue-level0-4302-10273-4814-10785.png", 0.9, 1.0),
        ("tissue-level0-7352-11762-7864-12274.png", 0.8, 0.92),
        ("very-low-nuclei-score-level0.png", 0.97, 1.0),
    ],
)
def test_he_tiles(shared: Path, name: str, least: float, most: float) -> None:
    fraction = tissue_mask(open_scan(shared / "data" / "he-tiles" / name)).mask.mean()
    assert least <= fraction <= most


def test_the_pen_is_above_and_the_tissue_below(shared: Path) -> None:
    mask = tissue_mask(open_scan(shared / "data" / "he-tiles" / "pen-mark-green.png"))
    assert not mask.any_in(0, 0, 220, 512)
    assert mask.fraction_in(330, 60, 512 - 330, 512 - 60) > 0.98


# Places seen by eye, in level-0 px: (y, x, side).
@pytest.mark.parametrize(
    ("name", "tissue", "glass", "fraction"),
    [
        (
            CMU,
            [(1000, 1100, 300), (2400, 800, 300), (1060, 500, 30)],
            [(1500, 100, 400), (300, 1800, 200)],
            (0.35, 0.45),
        ),
        (
            TCGA,
            [(1500, 1500, 800), (2600, 3000, 300), (100, 3250, 100)],
            [(100, 200, 500), (3200, 100, 300)],
            (0.58, 0.68),
        ),
        (OS1, [(0, 0, 1101)], [], (0.99, 1.0)),
    ],
)
def test_slides(name: str, tissue: list, glass: list, fraction: tuple[float, float]) -> None:
    mask = tissue_mask(open_scan(sample_path(name)))
    assert max(mask.mask.shape) <= 1024
    assert fraction[0] <= mask.mask.mean() <= fraction[1]
    assert all(mask.fraction_in(y, x, side, side) > 0.95 for y, x, side in tissue)
    assert not any(mask.any_in(y, x, side, side) for y, x, side in glass)


def test_dab_with_a_weak_counterstain_is_tissue_and_its_lumen_is_not(shared: Path) -> None:
    mask = tissue_mask(open_scan(shared / "data" / "slides" / "OS-2-ndpi.ome.tif"))
    assert 0.8 < mask.mask.mean() < 0.9
    assert not mask.any_in(1350, 200, 300, 300)
    assert mask.fraction_in(1000, 1000, 800, 800) > 0.97


@pytest.mark.parametrize("glass", [(255, 255, 255), (240, 240, 243), (225, 224, 226)])
def test_glass_alone_is_no_tissue(tmp_path: Path, glass: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).normal(0, 3, (600, 800, 3))
    assert picture(tmp_path / "a.png", np.clip(glass + noise, 0, 255)).area_px == 0


@pytest.mark.parametrize("ink", [(15, 15, 18), (20, 40, 200), (30, 150, 90), (90, 190, 150)])
def test_ink_on_glass_is_no_tissue_and_eosin_is(tmp_path: Path, ink: tuple[int, int, int]) -> None:
    pixels = np.full((800, 800, 3), 244.0)
    pixels[100:260, 100:700] = ink
    pixels[500:700, 200:600] = (228, 170, 200)
    mask = picture(tmp_path / "a.png", pixels)
    assert not mask.any_in(60, 60, 300, 700)
    assert mask.fraction_in(500, 200, 200, 400) == 1.0
    assert mask.area_px == pytest.approx(200 * 400, rel=0.02)


def test_the_mask_is_the_same_each_time_and_in_any_file_layout(tmp_path: Path) -> None:
    first = tissue_mask(open_scan(sample_path(CMU)))
    np.testing.assert_array_equal(first.mask, tissue_mask(open_scan(sample_path(CMU))).mask)
    tifffile.imwrite(tmp_path / "a.tif", tifffile.imread(sample_path(CMU)), photometric="rgb", rowsperstrip=100)
    np.testing.assert_array_equal(first.mask, tissue_mask(open_scan(tmp_path / "a.tif")).mask)


def test_without_colour_everything_counts(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((50, 70), np.uint16), photometric="minisblack")
    assert tissue_mask(open_scan(tmp_path / "a.tif")).mask.all()


@given(
    y=st.floats(-30, 130),
    x=st.floats(-30, 130),
    height=st.floats(0.5, 90),
    width=st.floats(0.5, 90),
)
def test_windows_of_a_mask(y: float, x: float, height: float, width: float) -> None:
    mask = Foreground(np.random.default_rng(0).random((20, 25)) > 0.8, 5.0)
    fine = 200  # samples a side
    rows = np.floor((y + (np.arange(fine) + 0.5) * height / fine) / 5).astype(int)
    columns = np.floor((x + (np.arange(fine) + 0.5) * width / fine) / 5).astype(int)
    inside = ((rows >= 0) & (rows < 20))[:, None] & ((columns >= 0) & (columns < 25))[None, :]
    samples = mask.mask[np.clip(rows, 0, 19)][:, np.clip(columns, 0, 24)] & inside
    assert mask.fraction_in(y, x, height, width) == pytest.approx(samples.mean(), abs=0.05)
    if samples.any():
        assert mask.any_in(y, x, height, width)
    if not mask.any_in(y, x, height, width):
        assert mask.fraction_in(y, x, height, width) == 0
