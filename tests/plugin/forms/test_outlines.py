"""Outlines of layers: what they are called, which lie on an image, and the labels that a run gets of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image, Labels, Shapes

from diffuscope.errors import InputError
from diffuscope.plugin.forms.cases.outlines import count_labels, misfit, names_in, shapes_on
from diffuscope.plugin.forms.cases.roles import Roles
from diffuscope.ports.mask import Mask

MASK = Mask(name="outlines", key="mask", on="ct", roles=("tumour", "node 1", "node 2", "node 3"))
SHAPE = (6, 30, 40)
PLACE: dict[str, Any] = {"scale": (3.0, 1.0, 1.0), "translate": (10.0, 5.0, -4.0), "units": ("mm",) * 3}


@pytest.fixture
def image() -> Any:
    return Image(np.zeros(SHAPE, np.int16), name="ct", **PLACE)


def labels(name: str, **boxes: tuple[int, Any]) -> Any:
    data = np.zeros(SHAPE, np.uint8)
    for number, where in boxes.values():
        data[where] = number
    return Labels(data, name=name, **PLACE)


ONE, TWO = (slice(1, 3), slice(5, 10), slice(5, 10)), (slice(4, 5), slice(20, 24), slice(20, 24))


def looked(image: Any, *layers: Any) -> Roles:
    roles = Roles(MASK)
    roles.look(list(layers), image)
    return roles


def by_name(roles: Roles) -> dict[str, str]:
    return {one.name: role for one, role in zip(roles.outlined, roles.roles, strict=True)}


def test_labels_go_by_their_features_their_layer_or_their_number(image: Any):
    named = labels("RS", a=(7, ONE), b=(4, TWO))
    named.features = {"index": [4, 7], "name": ["LN left", "GTVp"]}
    assert by_name(looked(image, named)) == {"LN left": "node 1", "GTVp": "tumour"}
    assert by_name(looked(image, labels("GTV-T", a=(9, ONE)))) == {"GTV-T": "tumour"}
    assert by_name(looked(image, labels("b", a=(2, ONE), b=(1, TWO)))) == {"1 · b": "tumour", "2 · b": "node 1"}
    # numbers of another meaning
    assert set(by_name(looked(image, labels("b", a=(2, ONE), b=(9, TWO)))).values()) == {""}
    # one role, one layer
    assert by_name(looked(image, labels("a", a=(1, ONE)), labels("b", a=(1, TWO)))) == {"a": "tumour", "b": ""}


def test_what_is_said_stays_and_what_is_painted_is_seen(image: Any):
    layer = labels("GTVp", a=(1, ONE))
    roles = looked(image, layer)
    roles.say(0, "node 2")
    roles.look([layer], image)
    assert roles.chosen == ("node 2",)
    layer.data[4, 0, 0] = 3
    roles.forget_counts(layer)
    roles.look([layer], image)
    assert [one.name for one in roles.outlined] == ["1 · GTVp", "3 · GTVp"] and roles.roles[0] == "node 2"
    roles.look([layer], None)
    assert roles.outlined == [] and roles.given() is None


def test_labels_that_lie_elsewhere_are_refused_with_both_places(image: Any):
    shifted = labels("GTVp", a=(1, ONE))
    shifted.translate = (10.0, 5.0, -3.0)
    smaller = Labels(np.ones((6, 30, 39), np.uint8), name="LN", **PLACE)
    for layer, told in ((shifted, "from -3, 5, 10"), (smaller, "39 x 30 x 6 voxels")):
        assert told in misfit(layer, image) and "“ct” (40 x 30 x 6 voxels of 1 x 1 x 3 mm from -4, 5, 10)" in misfit(
            layer, image
        )
        assert looked(image, layer).problem == misfit(layer, image)
    # where something lies on the image, what lies elsewhere is not taken for it
    roles = looked(image, labels("GTVp", a=(1, ONE)), smaller)
    assert by_name(roles) == {"GTVp": "tumour", "LN": ""} and not roles.problem
    # a metre is a thousand millimetres
    metres = Labels(np.ones(SHAPE, np.uint8), name="LN", scale=np.array(PLACE["scale"]) / 1000,
                    translate=np.array(PLACE["translate"]) / 1000, units=("m",) * 3)  # fmt: skip
    assert misfit(metres, image) == ""


def test_a_run_gets_numbers_of_roles_and_the_first_role_keeps_what_several_have(image: Any):
    tumour, node = labels("GTVp", a=(5, ONE)), labels("LN", a=(2, (slice(2, 4), slice(5, 10), slice(5, 10))))
    given = looked(image, node, tumour).given()
    assert given is not None and given.name == "GTVp and LN"
    expected = np.zeros(SHAPE, np.uint8)
    expected[2:4, 5:10, 5:10] = 2
    expected[ONE] = 1
    np.testing.assert_array_equal(given.labels(), expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shapes_are_filled_in_the_slices_that_they_lie_in(image: Any, axis: int):
    corners = np.array([[1.0, 1.0], [1.0, 4.0], [4.0, 4.0], [4.0, 1.0]])
    layer = Shapes([np.insert(corners, axis, 3.0, axis=1)], shape_type="polygon", name="Tumour", **PLACE)
    given = looked(image, layer).given()
    assert given is not None
    where = [slice(1, 5)] * 2
    where.insert(axis, slice(3, 4))
    expected = np.zeros(SHAPE, np.uint8)
    expected[tuple(where)] = 1
    np.testing.assert_array_equal(given.labels(), expected)


def test_an_ellipse_has_its_area_and_shapes_may_have_names_of_their_own(image: Any):
    box = np.array([[3.0, 5.0, 5.0], [3.0, 5.0, 25.0], [3.0, 25.0, 25.0], [3.0, 25.0, 5.0]])
    small = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0], [1.0, 2.0, 2.0], [1.0, 2.0, 1.0]])
    layer = Shapes([box, small], shape_type=["ellipse", "rectangle"], features={"name": ["GTVp", "LN"]}, **PLACE)
    roles = looked(image, layer)
    assert by_name(roles) == {"GTVp": "tumour", "LN": "node 1"}
    given = roles.given()
    assert given is not None
    counts = np.bincount(given.labels().ravel())
    assert counts[1] == pytest.approx(np.pi * 100, rel=0.03) and counts[2] == 4


@pytest.mark.parametrize(
    ("vertices", "kind", "sentence"),
    [
        ([[0, 1, 1], [0, 5, 5]], "line", "has a line, which encloses nothing"),
        ([[0, 1, 1], [2, 5, 5], [4, 1, 5]], "polygon", "lies across the slices of “ct”"),
        ([[9, 1, 1], [9, 5, 5], [9, 1, 5]], "polygon", "lies beside “ct”"),
    ],
)
def test_shapes_that_outline_nothing_are_refused(image: Any, vertices: Any, kind: str, sentence: str):
    layer = Shapes([np.array(vertices, float)], shape_type=kind, name="Tumour", **PLACE)
    [one] = names_in(layer, {})
    with pytest.raises(InputError, match=sentence):
        shapes_on(layer, str(one.label), image)


def test_labels_are_counted_whatever_their_type():
    data = np.random.default_rng(0).integers(0, 70_000, (3, 20, 20))
    numbers, counts = np.unique(data[data > 0], return_counts=True)
    assert count_labels(Labels(data)) == dict(zip(numbers.tolist(), counts.tolist(), strict=True))
