"""Densities where the network runs are what `diffuscope.stains` makes of the same pixels, rims to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from diffuscope.stains import dab_density, fill_rims
from diffuscope.stains import optical_density as density_of_array
from diffuscope.systems.staindiffuser.density import dab_of, fill_rims_in_parallel, filled, mean_density


def test_dab_of_every_colour_is_that_of_the_stains():
    levels = np.arange(0, 256, 5, np.float32)
    rgb = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, 52, -1, 3)
    found = dab_of(torch.from_numpy(rgb).permute(0, 3, 1, 2) + 0.3)[:, 0]
    np.testing.assert_allclose(found.numpy(), dab_density(rgb), atol=2e-6)


def test_mean_density_is_that_of_the_stains():
    rgb = np.random.default_rng(0).uniform(0, 255, (2, 3, 5, 7)).astype(np.float32)
    expected = density_of_array(np.rint(rgb)).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(mean_density(torch.from_numpy(rgb)).numpy(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40),
        elements=st.integers(0, 4).map(float),
    )
)
def test_rims_are_filled_to_the_bit_as_by_reconstruction(density: np.ndarray):
    found = fill_rims_in_parallel(torch.from_numpy(density)[None, None])[0, 0].numpy()
    np.testing.assert_array_equal(found, fill_rims(density))


def test_rims_of_a_tile_are_filled_to_the_bit():
    rng = np.random.default_rng(0)
    images = [np.abs(ndimage.gaussian_filter(rng.normal(size=(90, 101)), s)).astype(np.float32) for s in (1, 3)]
    density = torch.from_numpy(np.stack(images))[:, None]
    np.testing.assert_array_equal(fill_rims_in_parallel(density).numpy(), filled(density).numpy())


_IN_THE_INTERPRETER = """
import numpy as np, torch
from diffuscope.stains import fill_rims
from diffuscope.systems.staindiffuser.rims_kernel import fill
rng = np.random.default_rng(0)
for shape in ((1, 1), (2, 3), (5, 5), (9, 12)):
    density = rng.integers(0, 4, (3, 1, *shape)).astype(np.float32)
    for image, found in zip(density, fill(torch.from_numpy(density)).numpy()):
        np.testing.assert_array_equal(found[0], fill_rims(image[0]))
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="there is no Triton")
def test_the_kernel_fills_rims_to_the_bit_in_triton_s_interpreter():
    # In a process of its own: Triton reads the variable when it is imported.
    subprocess.run([sys.executable, "-c", _IN_THE_INTERPRETER], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})
