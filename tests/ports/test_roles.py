"""Names as planners give them to outlines, and the roles that they mean."""

from __future__ import annotations

import pytest

from diffuscope.ports.roles import find_role, guess_roles, may_be

ROLES = ("tumour", "node 1", "node 2", "node 3")
#: Voxels by name.
SIZES = {"GTVn": 40, "GTVn left": 90, "LN_2": 30, "LN_5": 70, "LN_7": 10, "LN_9": 50}


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        ({"GTVp", "GTVn"}, {"GTVp": "tumour", "GTVn": "node 1"}),
        ({"GTV-T", "GTV-N1", "GTV-N2"}, {"GTV-T": "tumour", "GTV-N1": "node 1", "GTV-N2": "node 2"}),
        ({"Primary tumor", "Lymph node"}, {"Primary tumor": "tumour", "Lymph node": "node 1"}),
        ({"BODY", "PTV_GTVp", "CTVn", "Spinal cord", "Lung", "Parotid_L"}, {}),
        ({"GTV", "LN2"}, {"GTV": "tumour", "LN2": "node 1"}),
        ({"GTV", "GTVp"}, {"GTVp": "tumour"}),
        ({"GTVtotal", "GTV p+n", "non-tumoural"}, {}),
        ({"node 2", "Tumour"}, {"Tumour": "tumour", "node 2": "node 2"}),
        ({"node 2", "GTVn"}, {"GTVn": "node 1", "node 2": "node 2"}),
        # by size where not each has a number of its own, the largest first
        ({"GTVn", "GTVn left"}, {"GTVn left": "node 1", "GTVn": "node 2"}),
        # by number where each has
        ({"LN_5", "LN_2"}, {"LN_2": "node 1", "LN_5": "node 2"}),
    ],
)
def test_names_tell_roles(names: set[str], roles: dict[str, str]):
    found = guess_roles(sorted(names), ROLES, lambda name: SIZES.get(name, 0))
    assert found.roles == roles
    assert found.left == found.unclear == ()


def test_of_more_nodes_than_roles_the_largest_are_taken_in_the_order_of_their_numbers():
    found = guess_roles(["LN_2", "LN_5", "LN_7", "LN_9"], ROLES, SIZES.__getitem__)
    assert found.roles == {"LN_2": "node 1", "LN_5": "node 2", "LN_9": "node 3"}
    assert found.left == ("LN_7",)


def test_two_names_of_one_tumour_are_not_guessed():
    assert guess_roles(["GTVp", "GTVp old"], ROLES, lambda _: 1).unclear == ("GTVp", "GTVp old")


def test_a_role_is_found_by_its_name_whatever_its_marks():
    assert [find_role(text, ROLES) for text in ("Node_2", "node2", "TUMOUR", "node", "")] == [
        "node 2",
        "node 2",
        "tumour",
        None,
        None,
    ]
    assert may_be("node3", ROLES) and may_be("GTVp", ROLES) and not may_be("Liver", ROLES)
