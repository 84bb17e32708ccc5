"""Masks: what is made quicker is what it was."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from diffuscope.scans.morphology import filled


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.6, 0.8, 1.0])
def test_holes_of_slices_are_those_that_scipy_finds_in_each(share: float):
    mask = np.random.default_rng(0).random((12, 31, 40)) < share
    expected = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    np.testing.assert_array_equal(filled(mask), expected)
