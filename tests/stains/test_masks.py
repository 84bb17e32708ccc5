"""Coarse masks on drawn cells, where the truth is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.draw import disk
from skimage.measure import label

from diffuscope.stains import coarse_mask, fill_rims, mean_plus_two_sigma


def _cells(radius: int) -> tuple[np.ndarray, np.ndarray]:
    dab = np.random.default_rng(0).uniform(0.0, 0.05, (200, 200))
    truth = np.zeros((200, 200), bool)
    for centre in ((40, 40), (100, 150), (160, 60)):
        truth[disk(centre, radius)] = True
    dab[truth] += 0.6
    return dab, truth


def test_cells_are_found_whole_and_specks_dropped() -> None:
    """Discs stay (Dice > 0.95), a hole is filled, a speck of 2 µm² goes."""
    dab, truth = _cells(9)
    dab[40, 40] = 0.0
    dab[5:7, 5:9] = 0.8
    mask = coarse_mask(dab, mpp=0.5)
    assert label(mask).max() == 3
    assert mask[40, 40]
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.95


def test_a_mask_does_not_depend_on_magnification() -> None:
    """Twice the pixels at half the size: the same area in µm², within the raster's error."""
    areas = []
    for radius, mpp in ((8, 0.5), (16, 0.25)):
        dab, _ = _cells(radius)
        areas.append(coarse_mask(dab, mpp=mpp, threshold=0.3).sum() * mpp**2)
    np.testing.assert_allclose(areas[0], areas[1], rtol=0.05)


def test_mean_plus_two_sigma() -> None:
    """Closed form on {0, 1} with share p: p + 2·sqrt(p(1 − p))."""
    values = np.zeros(1000)
    values[:100] = 1.0
    np.testing.assert_allclose(mean_plus_two_sigma(values), 0.1 + 2 * np.sqrt(0.09))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
        elements=st.integers(0, 4).map(float),
    )
)
def test_filled_rims_are_the_filled_holes_of_every_threshold(dab: np.ndarray) -> None:
    """scipy fills the holes of each threshold's mask; a hole is what no edge reaches through the 8 neighbours."""
    filled = fill_rims(dab)
    for level in range(1, 5):
        expected = ndimage.binary_fill_holes(dab >= level, structure=np.ones((3, 3)))
        np.testing.assert_array_equal(filled >= level, expected)
