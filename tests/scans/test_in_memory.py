"""Pixels are read without what dask would import for them."""

from __future__ import annotations

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest

from diffuscope.scans.region import in_memory
from diffuscope.scans.source import halve


def test_a_lazy_array_is_read_and_nothing_of_a_cluster_is_imported():
    code = """
import sys
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region
scan = open_scan(sample_path("CMU-1-Small-Region.svs"))
print(read_region(scan, y=100, x=200, height=8, width=8, factor=1.0).shape, "distributed" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(") ") == ["(8, 8, 3", "False\n"]
    values = np.arange(12).reshape(3, 4)
    assert np.array_equal(in_memory(da.from_array(values, chunks=2)), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int16])
def test_a_halved_level_has_the_means_rounded_once_halves_to_even(dtype: type):
    rng, most = np.random.default_rng(0), np.iinfo(dtype).max
    values = rng.integers(0, [7, most, most + 1], (64, 64, 3), dtype=np.int64).astype(dtype)
    values[:8] = most
    means = values.astype(np.float64).reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    found = halve(values)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.rint(means))
    assert (np.rint(means) < means).any() and (np.rint(means) > means).any()
    np.testing.assert_array_equal(halve(values[:63, :63])[:-1, :-1], found[:31, :31])
