"""Where a NIfTI lies: units, two forms that differ, none at all; nibabel says what is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from diffuscope.errors import InputError
from diffuscope.scans import Volume, open_volume
from diffuscope.scans.formats.volumes.nifti_forms import Forms, forms_of
from diffuscope.scans.lattice import Lattice

nibabel = pytest.importorskip("nibabel")

NUMBERS = np.arange(20 * 18 * 7, dtype=np.int16).reshape(20, 18, 7)


def affine(scale=(1.0, 1.0, 3.0), turn=(0.0, 0.0, 0.0), shift=(-10.0, -9.0, 5.0), signs=(1, 1, 1)) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = Rotation.from_rotvec(turn).as_matrix() @ np.diag(np.array(scale) * signs)
    out[:3, 3] = shift
    return out


def write(path, qform=None, qcode=0, sform=None, scode=0, units="mm"):
    image = nibabel.Nifti1Image(NUMBERS, None)
    image.header.set_xyzt_units(units)
    image.set_qform(affine() if qform is None else qform, qcode)
    image.set_sform(affine() if sform is None else sform, scode)
    nibabel.save(image, path)
    return path


def ras(volume: Volume) -> np.ndarray:
    """Return the affine by which the file's own voxel numbers (x, y, z) lead to RAS."""
    return np.diag([-1, -1, 1, 1]) @ volume.storage.store_lattice(volume.lattice).affine[:, [2, 1, 0, 3]]


MOVED = affine(turn=(0, 0, 0.35), shift=(10, 5, 2))


@pytest.mark.parametrize(
    ("given_forms", "taken", "words"),
    [
        ({"qform": affine(), "qcode": 1, "sform": affine(), "scode": 1}, affine(), ()),
        ({"qform": MOVED, "qcode": 1}, MOVED, ()),
        ({"sform": MOVED, "scode": 2}, MOVED, ()),
        ({"qform": affine(), "qcode": 1, "sform": MOVED, "scode": 4}, MOVED, ("(code 1)", "(code 4)", "mm apart")),
        ({"qform": affine(), "qcode": 1, "sform": affine(signs=(-1, 1, 1)), "scode": 2},
         affine(signs=(-1, 1, 1)), ("mirror images",)),
        ({"qform": affine(), "qcode": 1, "sform": affine(shift=(-10, -9, 5.01)), "scode": 1},
         affine(shift=(-10, -9, 5.01)), ()),
        ({"qform": affine(), "qcode": 1, "sform": affine() + 0.2 * np.eye(4, k=1), "scode": 4},
         affine(), ("sform (code 4) that is sheared by", "its qform (code 1) is used")),
        ({"qform": affine(), "qcode": 1, "sform": np.diag([0, 0, 0, 1.0]), "scode": 2}, affine(), ("says nothing",)),
        ({"sform": affine(scale=(2, 2, 2)), "scode": 2}, affine(scale=(2, 2, 2)), ("by its pixdim",)),
    ],
)  # fmt: skip
def test_the_sform_is_taken_where_it_can_be_and_a_difference_told(tmp_path, given_forms, taken, words):
    volume = open_volume(write(tmp_path / "v.nii", **given_forms))
    np.testing.assert_allclose(ras(volume), taken, atol=1e-4)
    assert len(volume.notices) == bool(words)
    assert all(word in volume.notices[0] for word in words)


def test_how_far_two_forms_lie_apart_is_the_furthest_corner_s_distance(tmp_path):
    [notice] = open_volume(write(tmp_path / "v.nii", affine(), 1, affine(shift=(-10, -9, 45)), 1)).notices
    assert "up to 40 mm apart" in notice


def test_a_patient_of_whom_nobody_knows_how_he_lies_is_told_and_not_taken_as_known(tmp_path):
    volume = open_volume(write(tmp_path / "v.nii"))
    [notice] = volume.notices
    assert "does not say how the patient lies" in notice and volume.spacing == (3.0, 1.0, 1.0)
    assert (volume.forms.qform_code, volume.forms.sform_code) == (0, 0)


@pytest.mark.parametrize(("units", "mm"), [("mm", 1.0), ("micron", 1e-3), ("meter", 1e3), ("unknown", 1.0)])
@pytest.mark.parametrize("code", ["qcode", "scode"])
def test_the_unit_counts_for_sizes_and_places(tmp_path, units, mm, code):
    stated = affine(scale=np.array([0.98, 0.98, 3.0]) / mm, shift=np.array([-10.0, -9.0, 5.0]) / mm)
    volume = open_volume(write(tmp_path / "v.nii", stated, sform=stated, units=units, **{code: 1}))
    assert volume.spacing == pytest.approx((3.0, 0.98, 0.98))
    np.testing.assert_allclose(ras(volume), affine(scale=(0.98, 0.98, 3.0)), atol=1e-4)


@pytest.mark.parametrize("by", [1000.0, 0.001])
def test_a_size_that_no_patient_has_is_refused(tmp_path, by):
    stated = affine(scale=np.array([0.98, 0.98, 3.0]) * by)
    path = write(tmp_path / "v.nii", stated, 1, stated, 1)
    with pytest.raises(InputError, match=r"v\.nii would have voxels of .* mm .*, which no scan has"):
        open_volume(path)


@given(noise=st.floats(1e-6, 1e-4), seed=st.integers(0, 99), turn=st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_axes_that_rounding_bent_are_straightened_within_half_a_voxel(tmp_path_factory, noise, seed, turn):
    bent = affine(turn=turn)
    bent[:3, :3] += noise * np.random.default_rng(seed).normal(size=(3, 3))
    path = write(tmp_path_factory.mktemp("v") / "v.nii", sform=bent, scode=1)
    volume = open_volume(path)
    directions = np.array(volume.lattice.directions)
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=2e-6)
    corners = np.array([(x, y, z, 1) for x in (0, 19) for y in (0, 17) for z in (0, 6)])
    apart = np.linalg.norm(corners @ (ras(volume) - nibabel.load(path).affine).T, axis=1)
    assert apart.max() < 0.01


def test_a_sheared_volume_is_refused_with_what_to_do(tmp_path):
    bent = affine() + 0.2 * np.eye(4, k=1)
    with pytest.raises(InputError, match=r"v\.nii is sheared .* resample it"):
        open_volume(write(tmp_path / "v.nii", sform=bent, scode=1))


@given(
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    shift=st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_both_forms_of_a_lattice_are_what_nibabel_reads_from_them(turn, signs, shift):
    stated = affine(turn=turn, signs=signs, shift=shift)
    x, y, z = (stated[:3, :3] / [1, 1, 3]).T
    lattice = Lattice((7, 18, 20), (3.0, 1.0, 1.0), tuple(shift), (tuple(z), tuple(y), tuple(x)))
    forms = forms_of(lattice)
    expected = np.diag([-1, -1, 1, 1]) @ stated  # a lattice is LPS
    np.testing.assert_allclose(forms.sform, expected, atol=1e-9)
    # Near half a turn float32 knows a quaternion, whose first number a header leaves out, to a minute of arc only.
    half_a_turn = np.square(forms.quatern).sum() > 0.99
    np.testing.assert_allclose(forms.qform, expected, atol=5e-3 if half_a_turn else 1e-5)
    header = nibabel.Nifti1Header()
    header["pixdim"][:4], header["qform_code"] = forms.pixdim, 1
    header["quatern_b"], header["quatern_c"], header["quatern_d"] = forms.quatern
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = forms.qoffset
    np.testing.assert_allclose(header.get_qform(), expected, atol=5e-3)
    assert Forms.from_json(forms.to_json()) == forms
