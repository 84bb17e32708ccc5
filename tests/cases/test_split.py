from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.cases import PARTS, Case, folds, split
from diffuscope.errors import InputError


def make(groups: list[int], parts: dict[int, str] | None = None) -> list[Case]:
    return [Case(f"c{i}", f"g{g}", {}, (parts or {}).get(g)) for i, g in enumerate(groups)]


def groups_of(cases: list[Case]) -> set[str]:
    return {case.group for case in cases}


@given(
    st.lists(st.integers(0, 30), min_size=5, max_size=80).filter(lambda g: len(set(g)) >= 5),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
    st.integers(0, 5),
)
def test_every_case_is_in_one_part_and_no_group_in_two(groups, validation, test, seed):
    cases = make(groups)
    parts = split(cases, validation=validation, test=test, seed=seed)
    assert tuple(parts) == PARTS
    assert sorted(case.name for part in parts.values() for case in part) == sorted(case.name for case in cases)
    sets = [groups_of(part) for part in parts.values()]
    assert sum(map(len, sets)) == len(set(groups))
    for part, share in (("validation", validation), ("test", test)):
        assert len(groups_of(parts[part])) == (max(round(share * len(set(groups))), 1) if share else 0)
    mixed = random.Random(1).sample(cases, len(cases))
    again = split(mixed, validation=validation, test=test, seed=seed)
    assert all(groups_of(again[part]) == groups_of(parts[part]) for part in PARTS)


def test_seeds_differ_and_a_new_case_moves_few():
    cases = make(list(range(40)))
    first, other = (groups_of(split(cases, seed=seed)["validation"]) for seed in (0, 1))
    assert first != other
    more = groups_of(split([*cases, Case("new", "new", {})], seed=0)["validation"])
    assert len(first - more) <= 1


def test_a_stated_part_wins():
    cases = make([0, 1, 2, 3, 4], {3: "validation", 4: "test"})
    parts = split(cases, validation=0.2, test=0.2)
    assert groups_of(parts["validation"]) == {"g3"} and groups_of(parts["test"]) == {"g4"}
    everything = split(make([0, 1, 2], {0: "train", 1: "train", 2: "test"}), validation=0.0)
    assert groups_of(everything["train"]) == {"g0", "g1"} and groups_of(everything["test"]) == {"g2"}


def test_shares_say_nothing_where_every_group_states_its_part():
    cases = make(list(range(40)), {n: "train" if n < 36 else "validation" if n < 38 else "test" for n in range(40)})
    parts = split(cases, validation=0.2, test=0.2)
    assert {part: len(own) for part, own in parts.items()} == {"train": 36, "validation": 2, "test": 2}
    cases[0] = Case("c0", "g0", {})
    with pytest.raises(InputError, match=r"^3 of 40 groups .* are left for validation, and 8 are asked for"):
        split(cases, validation=0.2)


def test_one_statement_speaks_for_the_group_and_two_are_refused():
    cases = [Case("a", "p", {}, "test"), Case("b", "p", {}), Case("c", "q", {}), Case("d", "r", {})]
    assert {case.name for case in split(cases)["test"]} == {"a", "b"}
    with pytest.raises(InputError, match="group p is stated both as test and as train"):
        split([*cases, Case("e", "p", {}, "train")])


@pytest.mark.parametrize(
    ("groups", "shares", "said"),
    [
        ([0, 0, 0], {"validation": 0.2}, "1 group .* none is left for train"),
        ([0, 1], {"validation": 0.2, "test": 0.2}, "2 groups .* none is left for train"),
        ([0], {"validation": 0.2, "test": 0.2}, "none is left for validation"),
        ([0, 1, 2], {"validation": 0.5, "test": 0.5}, "no shares"),
        ([0, 1, 2], {"validation": -0.1}, "no shares"),
    ],
)
def test_too_few_groups_are_refused(groups, shares, said):
    with pytest.raises(InputError, match=said):
        split(make(groups), **shares)


@given(st.lists(st.integers(0, 20), min_size=3, max_size=60), st.integers(2, 6))
def test_each_group_validates_once(groups, k):
    cases = make(groups)
    if len(set(groups)) < k:
        with pytest.raises(InputError, match=f"cannot make {k} folds"):
            folds(cases, k)
        return
    made = folds(cases, k)
    validating = [group for fold in made for group in groups_of(fold["validation"])]
    assert sorted(validating) == sorted(groups_of(cases))
    for fold in made:
        assert not groups_of(fold["train"]) & groups_of(fold["validation"]) and fold["train"]
    sizes = [len(groups_of(fold["validation"])) for fold in made]
    assert max(sizes) - min(sizes) <= 1


def test_folds_leave_stated_tests_out_and_keep_stated_training_in():
    for fold in folds(make(list(range(6)), {0: "test", 1: "train"}), 4):
        assert groups_of(fold["test"]) == {"g0"} and "g1" in groups_of(fold["train"])
    with pytest.raises(InputError, match="g0 states that it validates"):
        folds(make([0, 1, 2], {0: "validation"}), 2)
