"""The pathologist's numbers as shown."""

from __future__ import annotations

import pytest

from diffuscope.measurement.table import as_text, line_of, name_of, readable, value_of, with_density


def test_numbers_get_names_units_and_sensible_digits():
    row = {"region": "all tissue", "tissue_area_mm2": "1.23456", "dab_positive_percent": "12.345", "mean_dab_od": "0.1",
           "positive_objects": "1234", "made_by": "x", "complete": "True"}  # fmt: skip
    header, lines = readable([row])
    assert header == ["all tissue"]
    assert lines == [
        ["Tissue area (mm²)", "1.235"],
        ["DAB-positive area (%)", "12.3"],
        ["Mean DAB in tissue (OD)", "0.100"],
        ["Positive objects", "1,234"],
        ["made by", "x"],
        ["Complete", "yes"],
    ]


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("tissue_area_mm2", "0.00046", "0.00046"),  # 43 x 43 px of 0.5 µm
        ("tissue_area_mm2", "0.0046", "0.0046"),
        ("tissue_area_mm2", "0.0464", "0.046"),
        ("tissue_area_mm2", "0.0", "0.000"),
        ("dab_positive_percent", "0.3", "0.3"),
        ("dab_positive_percent", "0.004", "0.0040"),
        ("positive_per_mm2", "0.25", "0.25"),
        ("positive_objects", "3", "3"),
        ("mean_load", "-0.0123", "-0.012"),
        ("mean_load", "1e-17", "0.000000000"),
    ],
)
def test_what_is_small_is_told_from_nothing(column: str, value: str, shown: str):
    assert line_of({column: value}) == [shown] == [value_of(column, float(value))]


def test_what_could_not_be_measured_is_a_dash():
    _, lines = readable([{"region": "a", "mean_dab_od": "nan", "positive_objects": ""}])
    assert [line[1] for line in lines] == ["–", "–"] == [value_of("mean_dab_od", one) for one in (None, float("nan"))]


def test_objects_are_told_by_area_where_there_is_any():
    row = {"region": "a", "tissue_area_mm2": "0.5", "positive_objects": "12", "complete": "True"}
    [found] = with_density([row])
    assert list(found) == ["region", "tissue_area_mm2", "positive_objects", "positive_per_mm2", "complete"]
    assert float(found["positive_per_mm2"]) == 24 and row == {k: v for k, v in found.items() if k in row}
    assert line_of(found) == ["a", "0.500", "12", "24", "yes"]
    assert name_of("positive_per_mm2") == "Positive objects per mm²"
    assert with_density([{**row, "tissue_area_mm2": "0.0"}])[0]["positive_per_mm2"] == ""
    assert with_density([{"region": "a", "mean_load": "3"}]) == [{"region": "a", "mean_load": "3"}]


def test_no_table_is_no_table():
    assert readable([]) == ([], [])


def test_each_stain_has_a_column():
    header, lines = readable(
        [{"region": "a", "stain": stain, "positive_objects": n} for stain, n in (("CD3", "1"), ("CK8/18", "2"))]
    )
    assert header == ["a · CD3", "a · CK8/18"]
    assert lines == [["Positive objects", "1", "2"]]


def test_the_bins_of_a_penetration_curve_are_named():
    row = {"load_0_10_um": 3.14159, "load_10_12.5_um": None, "load_from_100_um": 0.0, "load_distance_um": 21.0}
    assert readable(as_text([{"region": "a", **row}]))[1] == [
        ["Load at 0 to 10 µm", "3.14"],
        ["Load at 10 to 12.5 µm", "–"],
        ["Load from 100 µm on", "0.00"],
        ["Load from vessel (µm)", "21.0"],
    ]


def test_samples_are_a_line_below_from_lowest_to_highest():
    row = {"region": "a", "mean_dab_od": "0.1", "positive_objects": "9", "samples": "3", "positive_objects_low": "7",
           "positive_objects_high": "1200", "mean_dab_od_low": "", "mean_dab_od_high": ""}  # fmt: skip
    assert readable([row])[1] == [
        ["Mean DAB in tissue (OD)", "0.100"],
        ["– each sample", "–"],
        ["Positive objects", "9"],
        ["– each sample", "7 to 1,200"],
        ["Samples", "3"],
    ]
    assert name_of("positive_objects_low") == "Positive objects, lowest sample"
    assert line_of(row) == ["a", "0.100", "9", "3", "7", "1,200", "–", "–"]


def test_a_region_is_called_by_its_name_and_class():
    rows = [
        {"region": "1,2,3,4", "region_name": name, "region_class": category, "positive_objects": "1"}
        for name, category in (("hot spot", "Tumor"), ("", "Stroma"), ("Tumor", "Tumor"), ("", ""))
    ]
    header, lines = readable(rows)
    assert header == ["hot spot (Tumor)", "Stroma", "Tumor", "1,2,3,4"]
    assert [line[0] for line in lines] == ["Positive objects"]
