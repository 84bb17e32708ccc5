"""Two layers that are compared px by px, and do not lie so: told, also where both cover the same field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

napari = pytest.importorskip("napari")
pytest.importorskip("qtpy")
from diffuscope.plugin.panels.compare import _apart  # noqa: E402  it brings Qt

SHAPE = (48, 48)


@pytest.mark.parametrize(
    ("place", "is_told"),
    [
        ({}, False),
        ({"translate": (0.4, 0.0)}, False),  # less than half a px
        ({"translate": (0.6, 0.0)}, True),
        ({"scale": (1, -1), "translate": (0, 47)}, True),  # mirrored
        ({"scale": (-1, -1), "translate": (47, 47)}, True),  # turned by half
        ({"rotate": 90, "translate": (0, 47)}, True),  # turned by a quarter
        ({"affine": np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])}, True),  # transposed
        ({"scale": (0.5, 0.5), "affine": np.diag([2.0, 2.0, 1.0])}, False),
        ({"scale": (0.001, 0.001), "units": ("mm", "mm")}, False),
        ({"scale": (0.002, 0.002), "units": ("mm", "mm")}, True),
    ],
)
def test_where_a_px_lies_decides(place: dict[str, Any], is_told: bool):
    truth = napari.layers.Image(np.zeros(SHAPE), units=("um", "um"))
    found = napari.layers.Image(np.zeros(SHAPE), **{"units": ("um", "um"), **place})
    told = _apart(truth, found)
    assert bool(told) == is_told and ("turned or mirrored" in told) == is_told
