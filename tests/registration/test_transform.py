"""The transform: both ways, and to a file and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.registration import Transform, load_transform
from diffuscope.registration.transform import Bend

WIDTH, HEIGHT = 2000.0, 1500.0


def bend(seed: int, largest: float) -> Bend:
    coefficients = np.random.default_rng(seed).uniform(-largest, largest, (2, 14, 18))
    return Bend((-150.0, -150.0), (150.0, 150.0), coefficients)


def make(degrees: float = 20.0, scale: float = 1.02, *, mirrored: bool = False, bent: Bend | None = None) -> Transform:
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    return Transform(matrix, np.array([300.0, -40.0]), bent)


@settings(max_examples=20)
@given(
    st.floats(-180, 180), st.floats(0.8, 1.25), st.booleans(), st.integers(0, 2**32 - 1), st.floats(0, 20), st.data()
)
def test_there_and_back_is_where_it_began(degrees, scale, mirrored, seed, largest, data):
    transform = make(degrees, scale, mirrored=mirrored, bent=bend(seed, largest))
    points = np.array(data.draw(st.lists(st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT)), min_size=1, max_size=9)))
    np.testing.assert_allclose(transform.to_fixed(transform.to_moving(points)), points, atol=0.1, rtol=0)
    np.testing.assert_allclose(transform.to_moving(transform.to_fixed(points)), points, atol=0.1, rtol=0)


def test_rotation_scale_and_side_are_read_off():
    for degrees, mirrored in ((20.0, False), (-170.0, False), (33.0, True)):
        transform = make(degrees, mirrored=mirrored)
        assert transform.rotation == pytest.approx(degrees)
        assert transform.scale == pytest.approx(1.02)
        assert transform.mirrored is mirrored


def test_the_bend_is_the_cubic_b_spline_of_its_coefficients():
    coefficients = np.zeros((2, 5, 5))
    coefficients[0, 2, 2] = 6.0
    one = Bend((0.0, 0.0), (10.0, 10.0), coefficients)
    # The cubic B-spline is 2/3 at its knot, 1/6 at the next and 0 two away.
    np.testing.assert_allclose(one(np.array([[20.0, 20.0], [30.0, 20.0], [40.0, 20.0]]))[:, 0], [8 / 3, 2 / 3, 0])
    np.testing.assert_allclose(one(np.array([[20.0, 20.0]]))[:, 1], 0)


def test_a_bend_is_smooth_and_fades_beyond_its_control_points():
    one = bend(3, 10.0)
    line = np.stack([np.linspace(-2000, 4000, 60_001), np.full(60_001, 700.0)], axis=-1)
    steps = np.abs(np.diff(one(line), axis=0)).max()
    assert steps < 0.1 * 10 * 2 / 150  # steps of 0.1 µm, twice the coefficients over their spacing at most
    assert not one(line[[0, -1]]).any()


def test_a_fold_is_told_and_has_no_inverse():
    flat, folded = make(bent=bend(0, 10.0)), make(bent=bend(0, 400.0))
    assert make().least_area(WIDTH, HEIGHT) == 1
    assert 0 < flat.least_area(WIDTH, HEIGHT) < 1
    assert folded.least_area(WIDTH, HEIGHT) < 0
    with pytest.raises(InputError, match="--affine-only"):
        folded.to_fixed(np.random.default_rng(0).uniform(0, 1500, (50, 2)))


@pytest.mark.parametrize("bent", [None, bend(1, 12.0)])
def test_a_file_gives_the_same_bits_back(tmp_path, bent):
    transform = make(7.3, bent=bent)
    transform.save(tmp_path / "transform.json", {"seed": 1, "note": "µm"})
    again, record = load_transform(tmp_path / "transform.json")
    points = np.random.default_rng(2).uniform(0, 1500, (100, 2))
    np.testing.assert_array_equal(again.to_moving(points), transform.to_moving(points))
    np.testing.assert_array_equal(again.matrix, transform.matrix)
    assert (again.bend is None) == (bent is None)
    assert record == {"seed": 1, "note": "µm"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "no transform"),
        ("{}", "no transform"),
        ("[1]", "no transform"),
        (json.dumps({"format": 99}), "newer"),
        (json.dumps({"format": 1, "matrix": [1, 2], "shift": [0, 0], "bend": None, "record": {}}), "no transform"),
    ],
)
def test_what_is_no_transform_is_refused(tmp_path, text, said):
    (tmp_path / "transform.json").write_text(text)
    with pytest.raises(InputError, match=said):
        load_transform(tmp_path / "transform.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="gone"):
        load_transform(tmp_path / "gone.json")


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": [[float("nan"), 0], [0, 1]]},
        {"matrix": [[0, 0], [0, 0]]},
        {"matrix": [[1, 2], [2, 4]]},
        {"matrix": [[1e200, 0], [0, 1e200]]},
        {"shift": [1]},
        {"bend": {"origin": [0, 0], "spacing": [0, 1], "coefficients": [[[0]], [[0]]]}},
        {"bend": {"origin": [0, 0], "spacing": [1, 1], "coefficients": []}},
        {"bend": {"origin": [0, 0], "spacing": [1, 1], "coefficients": [[[1e999]], [[0]]]}},
        {"bend": {"origin": [0, 0], "spacing": [1, 1], "coefficients": [[0], [0]]}},
        {"bend": []},
    ],
)
def test_a_file_that_holds_no_transform_is_refused(tmp_path: Path, change):
    path = tmp_path / "transform.json"
    Transform(matrix=np.eye(2), shift=np.zeros(2), bend=None).save(path, {})
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match="is no transform"):
        load_transform(path)
