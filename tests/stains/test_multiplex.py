"""The virtual multiplex against Lambert-Beer's law written out, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.stains import CHROMOGENS, HDAB, combine, dab_density, multiplex


def ihc(haematoxylin: np.ndarray, dab: np.ndarray) -> np.ndarray:
    return combine(np.stack([haematoxylin, dab, np.zeros_like(dab)], axis=-1), HDAB)


def test_each_stain_absorbs_as_its_chromogen():
    """OD = H·v_H + Σ D_i·c_i, pixel by pixel in float64."""
    rng = np.random.default_rng(0)
    h = rng.uniform(0, 0.6, (6, 7))
    dabs = [rng.uniform(0, 0.8, (6, 7)) for _ in range(3)]
    drawn = multiplex([ihc(h, dab) for dab in dabs], dabs)
    expected = np.zeros((6, 7, 3))
    for y, x, c in np.ndindex(expected.shape):
        od = h[y, x] * HDAB[0, c]
        for dab, vector in zip(dabs, CHROMOGENS.values(), strict=False):
            od += dab[y, x] * vector[c] / np.sqrt(np.square(vector).sum())
        expected[y, x, c] = 256 * 10**-od - 1
    # the images' eight bits tell the haematoxylin to about 0.01 OD, where DAB makes them dark to less
    assert np.abs(drawn - np.clip(expected, 0, 255)).mean() < 1.0
    assert np.abs(drawn - np.clip(expected, 0, 255)).max() < 12


def test_one_stain_alone_is_its_own_image():
    rng = np.random.default_rng(1)
    image = ihc(rng.uniform(0, 0.6, (8, 8)), rng.uniform(0, 0.6, (8, 8)))
    assert np.abs(multiplex([image], [dab_density(image)]).astype(int) - image).max() <= 2


def test_nothing_is_white_and_the_unknown_is_nothing():
    white = np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_array_equal(multiplex([white, white], [np.zeros((2, 2)), np.full((2, 2), np.nan)]), white)


def test_the_colours_are_told_apart():
    """In CIELAB, over the haematoxylin of a nucleus, any two stains and the counterstain differ by far more than 10."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    n = len(CHROMOGENS)
    counterstained = ihc(np.full((1, 1), 0.3), np.zeros((1, 1)))
    amounts = np.concatenate([np.zeros((1, n)), 0.5 * np.eye(n)])
    colours = [rgb2lab(multiplex([counterstained] * n, [np.full((1, 1), d) for d in row]) / 255) for row in amounts]
    for i, one in enumerate(colours):
        for other in colours[:i]:
            assert deltaE_ciede2000(one, other).item() > 15


def test_more_stains_than_chromogens_are_refused():
    white = np.full((1, 1, 3), 255, np.uint8)
    with pytest.raises(ValueError, match="there are 4 chromogens, not 5"):
        multiplex([white] * 5, [np.zeros((1, 1))] * 5)
