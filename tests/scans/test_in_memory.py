"""Pixels are read without what dask would import for them."""

from __future__ import annotations

import subprocess
import sys

import dask.array as da
import numpy as np

from diffuscope.scans.region import in_memory


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
