"""Numbers as people write them: one reading is taken, two are asked about, and none is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.ports.figures import is_missing, read_figure
from diffuscope.ports.table import Column


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_read_to_the_bit(value: float):
    assert read_figure(repr(value)) == value


@given(st.integers(1_000, 10**12), st.integers(1, 99), st.sampled_from([" ", "\u00a0", "\u202f", "'", ".", ","]))
def test_thousands_and_decimals_are_read_where_both_are_there(whole: int, part: int, mark: str):
    point = "." if mark == "," else ","
    text = f"{whole:,}".replace(",", mark) + f"{point}{part:02}"
    assert read_figure(text) == float(f"{whole}.{part:02}")


@given(st.integers(1, 999), st.integers(0, 999))
def test_a_comma_before_three_digits_is_asked_about(whole: int, three: int):
    with pytest.raises(InputError, match=f"may be {whole}{three:03} or {whole}.{three:03}: write one of the two"):
        read_figure(f"{whole},{three:03}")


@given(st.integers(1, 999), st.integers(0, 999))
def test_among_decimal_commas_it_is_the_point_that_is_asked_about(whole: int, three: int):
    assert read_figure(f"{whole},{three:03}", decimal_commas=True) == float(f"{whole}.{three:03}")
    with pytest.raises(InputError, match=f"may be {whole}{three:03} or {whole},{three:03}: write one of the two"):
        read_figure(f"{whole}.{three:03}", decimal_commas=True)


@pytest.mark.parametrize(
    ("text", "value"), [("0,125", 0.125), ("7,5", 7.5), ("−2", -2), (" 5. ", 5), ("1,234,567", 1234567), ("1e3", 1000)]
)
def test_what_can_be_read_in_one_way_is(text: str, value: float):
    assert read_figure(text) == value


def test_percent_are_read_where_the_column_has_a_unit_for_them():
    part = Column(name="ki67", unit="%", range=(0, 100))
    assert [part.read(text) for text in ("40%", "0,5 %", "40")] == [40.0, 0.5, 40.0]
    assert part.read("40%", "%") == 40.0
    assert Column(name="share", unit="1").read("40%") == 0.4
    for column, unit in ((Column(name="share"), ""), (part, "1"), (Column(name="size", unit="mm"), "")):
        with pytest.raises(InputError, match=r"is a number, not “40%”|cannot be made of %"):
            column.read("40%", unit)


@pytest.mark.parametrize("text", ["inf", "nan", "1_000", "٣", "12 g/l", "5%", "1,2,3", "0x1f", "05. Apr", "TRUE"])
def test_what_is_no_number_is_none(text: str):
    assert read_figure(text) is None


@pytest.mark.parametrize("text", ["<0.5", "> 100", "≤3", ">"])
def test_a_bound_is_no_value(text: str):
    with pytest.raises(InputError, match="is a bound and no value: write a number, or leave it empty"):
        read_figure(text)


@pytest.mark.parametrize("text", ["", "  ", "NA", "n/a", "#N/A", "NaN", "Unknown", "-", "—", ".", "?"])
def test_the_usual_words_say_that_nothing_is_known(text: str):
    assert is_missing(text)
    assert Column(name="age").read(text) is None
    assert Column(name="sex", categories=("f", "m")).read(text) is None


def test_a_word_that_is_a_category_is_that_category():
    smoking = Column(name="smoking", categories=("never", "Unknown", "-"))
    assert smoking.read("unknown") == "Unknown" and smoking.read("-") == "-"
    assert not is_missing("none")


def test_codes_are_read_however_a_program_wrote_them():
    p16 = Column(name="p16", categories=("0", "1", "2"))
    assert [p16.read(text) for text in ("0", "1.0", "2,0", "TRUE", "false")] == ["0", "1", "2", "1", "0"]
    assert Column(name="sex", categories=("m", "M", "f")).read("F") == "f"
    for text in ("3", "1.5", "yes"):
        with pytest.raises(InputError, match="p16 is one of 0, 1, 2, not"):
            p16.read(text)
