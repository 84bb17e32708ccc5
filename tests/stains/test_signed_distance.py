"""The signed distance of a mask, against every pair of pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diffuscope.stains import signed_distance


@settings(max_examples=60)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.sampled_from([0.25, 0.5, 2.0]))
def test_it_is_half_a_pixel_less_than_the_way_to_the_nearest_other_pixel(mask: np.ndarray, mpp: float):
    found = signed_distance(mask, mpp=mpp, limit=3.0)
    places = np.argwhere(np.ones_like(mask))
    for y, x in places:
        others = np.argwhere(mask != mask[y, x])
        steps = np.sqrt(((others - (y, x)) ** 2).sum(axis=1)).min() if len(others) else np.inf
        expected = min((steps - 0.5) * mpp, 3.0) * (1 if mask[y, x] else -1)
        np.testing.assert_allclose(found[y, x], expected, rtol=1e-6)


def test_a_disc_s_middle_is_its_radius_deep():
    y, x = np.indices((101, 101)) - 50
    found = signed_distance(np.hypot(y, x) <= 20, mpp=0.5, limit=100.0)
    radius = np.hypot(y, x) * 0.5
    np.testing.assert_allclose(found, 10.0 - radius, atol=0.5)
    assert found.dtype == np.float32
