"""What is kept of how inputs look, and what a sentence says of one that looks otherwise."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from diffuscope.ports.seen import COLOUR, GREY, TRAITS, Seen, unlike

SEEN = Seen(of="nine slides", images=9, traits={"hue": (80.0, 120.0, 150.0), "fine": (13.0, 20.0, 40.0)})


def test_a_value_is_told_only_beyond_its_margin():
    margin = TRAITS["hue"].margin
    assert unlike({"hue": 80.0 - margin, "fine": 10.0}, SEEN) == ""
    assert unlike({"hue": 150.0 + margin, "fine": 55.9}, SEEN) == ""
    assert unlike({"hue": 80.1 - margin - 0.2}, SEEN).startswith(
        "hue of what absorbs 49.9° (there 80 to 150°); perhaps"
    )
    assert "detail below 1 µm 9.9 % (there 13 to 40 %)" in unlike({"fine": 9.9}, SEEN)


def test_of_a_few_windows_more_is_borne():
    assert unlike({"fine": 60.0}, SEEN) and not unlike({"fine": 60.0}, SEEN, few=True)
    assert unlike({"fine": 80.0}, SEEN, few=True)


def test_the_most_telling_come_first_and_no_more_than_three():
    traits = {trait.key: (1.0, 1.0, 1.0) for trait in GREY}
    told = unlike(dict.fromkeys(traits, 1000.0), Seen(of="", images=1, traits=traits))
    names = [trait.name for trait in GREY]
    assert [name for name in names if f"{name} 1000" in told] == names[:3]
    assert told.endswith("; perhaps a CT")


def test_what_is_not_known_of_both_is_not_told():
    assert unlike({"size": 1.0, "hue": 100.0}, SEEN) == ""
    assert unlike({}, SEEN) == ""
    # of a version that measures what this one does not
    assert unlike({"hue": 100.0}, Seen(of="", images=1, traits={"shine": (0.0, 1.0, 2.0)})) == ""


def test_keys_are_unique():
    assert len(TRAITS) == len(COLOUR) + len(GREY)


@pytest.mark.parametrize("spread", [(0.0, 1.0), (0.0, float("nan"), 1.0), (0.0, float("inf"), 1.0), "abc"])
def test_a_spread_is_three_finite_numbers(spread):
    with pytest.raises(ValidationError):
        Seen(of="", images=1, traits={"hue": spread})


def test_a_model_states_no_more_than_a_few_numbers_and_words():
    with pytest.raises(ValidationError):
        Seen(of="x" * 201, images=1, traits={})
    with pytest.raises(ValidationError):
        Seen(of="", images=1, traits={str(number): (0.0, 0.0, 0.0) for number in range(101)})
