"""Where voxels lie: exchanged and reversed axes against ITK, whatever the directions and spacings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from diffuscope.scans.lattice import Lattice, upright

sitk = pytest.importorskip("SimpleITK")


@st.composite
def lattices(draw, *, tilt: float = 0.35) -> Lattice:
    """Axes in any order and sense, tilted by up to so many radians: below π/4 it is clear which axis is which."""
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    axes = np.eye(3)[order] * np.array(signs)[:, None]
    turn = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-tilt / 2, tilt / 2)] * 3)))
    z, y, x = (tuple(map(float, one)) for one in axes @ turn.as_matrix().T)
    return Lattice(
        draw(st.tuples(*[st.integers(1, 6)] * 3)),
        draw(st.tuples(*[st.floats(0.05, 8.0)] * 3)),
        draw(st.tuples(*[st.floats(-500, 500)] * 3)),
        (z, y, x),
    )


def image_of(lattice: Lattice):
    voxels = np.arange(np.prod(lattice.shape), dtype=np.int32).reshape(lattice.shape)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(lattice.spacing[::-1])
    image.SetOrigin(lattice.origin)
    image.SetDirection(np.array(lattice.directions[::-1]).T.ravel().tolist())
    return voxels, image


@settings(max_examples=80)
@given(lattice=lattices(), part=st.tuples(*[st.floats(0, 1)] * 3))
def test_a_voxel_lies_where_itk_says(lattice, part):
    _, image = image_of(lattice)
    index = tuple(p * (side - 1) for p, side in zip(part, lattice.shape, strict=True))
    there = image.TransformContinuousIndexToPhysicalPoint(index[::-1])
    np.testing.assert_allclose(lattice.place(index), there, atol=1e-6)


@settings(max_examples=80)
@given(lattice=lattices())
def test_upright_is_itk_s_lps_and_back_again(lattice):
    voxels, image = image_of(lattice)
    shown, storage = upright(lattice)
    turned = sitk.DICOMOrient(image, "LPS")
    np.testing.assert_array_equal(storage.show(voxels), sitk.GetArrayFromImage(turned))
    np.testing.assert_allclose(shown.origin, turned.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(shown.spacing[::-1], turned.GetSpacing())
    np.testing.assert_allclose(np.array(shown.directions[::-1]).T.ravel(), turned.GetDirection(), atol=1e-9)
    np.testing.assert_array_equal(storage.store(storage.show(voxels)), voxels)
    back = storage.store_lattice(shown)
    assert back.is_same(lattice)
    np.testing.assert_allclose(back.affine, lattice.affine, atol=1e-6)
    assert Lattice.from_json(shown.to_json()) == shown


@settings(max_examples=40)
@given(lattice=lattices(), factors=st.tuples(*[st.sampled_from([0.5, 1.0, 2.0, 3.3])] * 3))
def test_resampled_voxels_begin_at_the_same_outer_corner(lattice, factors):
    other = lattice.resampled(factors, (2, 2, 2))
    np.testing.assert_allclose(other.place((-0.5,) * 3), lattice.place((-0.5,) * 3), atol=1e-6)
    far = tuple(factor - 0.5 for factor in factors)
    np.testing.assert_allclose(other.place((0.5, 0.5, 0.5)), lattice.place(far), atol=1e-6)


@settings(max_examples=40)
@given(lattice=lattices(), axis=st.integers(0, 2), shift=st.floats(0.05, 1.0))
def test_another_place_spacing_or_size_is_another_lattice(lattice, axis, shift):
    moved = list(lattice.origin)
    moved[axis] += shift * min(lattice.spacing)
    wider = tuple(step * (1 + shift * (number == axis)) for number, step in enumerate(lattice.spacing))
    larger = tuple(side + (number == axis) for number, side in enumerate(lattice.shape))
    for other in (
        Lattice(lattice.shape, lattice.spacing, tuple(moved), lattice.directions),
        Lattice(lattice.shape, wider, lattice.origin, lattice.directions),
        Lattice(larger, lattice.spacing, lattice.origin, lattice.directions),
    ):
        assert not lattice.is_same(other)
    rounded = tuple(round(part, 6) for part in lattice.origin)
    assert lattice.is_same(Lattice(lattice.shape, lattice.spacing, rounded, lattice.directions))
