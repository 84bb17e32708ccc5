"""Heads and their units: the same quantity is converted, another one is refused, and a slip is named."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.ports.heads import match_heads, misspelt
from diffuscope.ports.table import Column, Table
from diffuscope.ports.units import Conversion, conversion

HEMOGLOBIN = Column(name="hemoglobin", unit="g/dl", range=(2, 25))
LEUKOCYTES = Column(name="Leukocytes [#/volume] in Blood", unit="10³/µl")
AGE = Column(name="age", unit="years")
COLUMNS = (HEMOGLOBIN, LEUKOCYTES, AGE, Column(name="sex", categories=("f", "m")))


@pytest.mark.parametrize(
    "unit",
    [
        "10³/µl",
        "10^3/uL",
        "10*3/µl",
        "10**3/μl",
        "10E3/µL",
        "G/l",
        "Gpt/l",
        "x10^9/L",
        "10⁹/l",
        "K/µl",
        "Tsd./µl",
        "/nl",
    ],
)
def test_thousands_a_microlitre_have_many_names(unit: str):
    assert conversion(unit, "10³/µl") == conversion("10³/µl", unit) == Conversion()


@pytest.mark.parametrize(
    ("given_unit", "wanted", "value", "same"),
    [
        ("g/l", "g/dl", 140.0, 14.0),
        ("mg/dl", "g/l", 90.0, 0.9),
        ("cells/µl", "10³/µl", 7500.0, 7.5),
        ("T/l", "10⁶/µl", 4.5, 4.5),
        ("l/l", "%", 0.42, 42.0),
        ("months", "years", 18.0, 1.5),
        ("°F", "°C", 98.6, 37.0),
        ("K", "°C", 310.15, 37.0),
        ("mmHg", "kPa", 120.0, 15.99868),  # NIST SP 811: 133.3224 Pa
        ("µm³", "fl", 90.0, 90.0),
        ("kg/m^2", "kg/m²", 25.0, 25.0),
    ],
)
def test_one_quantity_is_converted(given_unit: str, wanted: str, value: float, same: float):
    there, back = conversion(given_unit, wanted), conversion(wanted, given_unit)
    assert there is not None and back is not None
    assert math.isclose(there(value), same, rel_tol=1e-6) and math.isclose(back(there(value)), value, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("mmol/l", "g/dl"),
        ("G/l", "g/l"),
        ("foo", "g"),
        ("", "g"),
        ("((", "g"),
        ("9**9**9", "g"),
        ("1/0", "g"),
        ("x" * 99, "g"),
    ],
)
def test_another_quantity_is_none(unit: str, wanted: str):
    assert conversion(unit, wanted) is None


@given(st.text(max_size=30), st.sampled_from(["g/dl", "10³/µl", "%", "years"]))
def test_whatever_is_written_as_a_unit_is_one_or_is_not(unit: str, wanted: str):
    found = conversion(unit, wanted)
    assert found is None or math.isfinite(found(1.0))


def test_an_own_name_wins_and_units_behind_names_are_read():
    heads = match_heads(
        ["Leukocytes [#/volume] in Blood", "hemoglobin (g/l)", "age [years]", "sex", "weight [kg]"], COLUMNS, "b.csv"
    )
    assert heads.taken == {
        "Leukocytes [#/volume] in Blood": ("Leukocytes [#/volume] in Blood", ""),
        "hemoglobin": ("hemoglobin (g/l)", "g/l"),
        "age": ("age [years]", "years"),
        "sex": ("sex", ""),
    }
    assert heads.unused == ("weight [kg]",)
    assert heads.notices == ("b.csv: hemoglobin was converted from g/l to g/dl.",)
    again = match_heads(["Leukocytes [#/volume] in Blood [cells/µl]"], COLUMNS, "b.csv")
    assert again.taken["Leukocytes [#/volume] in Blood"][1] == "cells/µl"


def test_another_quantity_and_one_column_twice_are_refused():
    with pytest.raises(InputError, match=r"b\.csv: “hemoglobin \[mmol/l\]” cannot be converted to g/dl"):
        match_heads(["hemoglobin [mmol/l]"], COLUMNS, "b.csv")
    with pytest.raises(InputError, match=r"“hemoglobin” and “hemoglobin \(g/l\)” are one column"):
        match_heads(["hemoglobin", "hemoglobin (g/l)"], COLUMNS, "b.csv")


def test_a_range_holds_after_conversion_and_the_sentence_has_both_numbers():
    assert HEMOGLOBIN.read("140", "g/l") == pytest.approx(14)
    with pytest.raises(InputError, match=r"between 2 and 25, not at 1.4 \(14 g/l\)"):
        HEMOGLOBIN.read("14", "g/l")
    with pytest.raises(InputError, match="cannot be made of mmol/l"):
        HEMOGLOBIN.read("9", "mmol/l")


def test_a_slip_is_found_where_the_column_is_missing():
    names = ["age_at_initial_diagnosis", "sex"]
    assert misspelt(["weight", "Age_at_inital_diagnosis"], names) == ("Age_at_inital_diagnosis", names[0])
    assert misspelt(["Sex (0/1)"], names) == ("Sex (0/1)", "sex")
    assert misspelt(["stage", "age"], names) is None


def test_a_typed_name_that_is_none_is_refused_with_the_nearest():
    table = Table(name="blood", key="blood", columns=COLUMNS)
    with pytest.raises(InputError, match="blood has no column “hemoglobine”: did you mean “hemoglobin”"):
        table.read({"hemoglobine": "14"})
