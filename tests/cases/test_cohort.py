"""Rows of several tables as one cohort: joined by patient, nothing filled in, and one sentence for what is wrong."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from diffuscope.cases.cohort import read_cohort
from diffuscope.errors import InputError
from diffuscope.jobs.rows import read_row
from diffuscope.ports.table import Column, Table

TABLES = (
    Table(
        name="clinical data",
        key="clinical",
        columns=(Column(name="age", range=(0, 120)), Column(name="sex", categories=("f", "m"))),
    ),
    Table(name="blood", key="blood", columns=(Column(name="leukocytes"),)),
)
CLINICAL = "id,age,sex,nodes\nb,61,m,0\na,70,,3\nc,55,f,\n"
BLOOD = "id,leukocytes\na,7.5\nd,9\n"


def write(folder: Path, clinical: str = CLINICAL, blood: str = BLOOD) -> list[Path]:
    paths = [folder / "clinical.csv", folder / "blood.csv"]
    for path, text in zip(paths, (clinical, blood), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_patients_are_joined_and_what_is_not_known_stays_so(tmp_path: Path):
    cohort = read_cohort(write(tmp_path), TABLES, label="nodes", above=0)
    assert [case.name for case in cohort.cases] == ["a", "b"] and cohort.unlabelled == ("c", "d")
    assert cohort.labels.tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(cohort.rows["clinical"], np.array([[70, np.nan], [61, 1]], np.float32))
    np.testing.assert_array_equal(cohort.rows["blood"], np.array([[7.5], [np.nan]], np.float32))
    by_name = read_cohort(write(tmp_path), TABLES, label="sex", positive=["f"], negative=["m"])
    assert [case.name for case in by_name.cases] == ["b", "c"] and by_name.labels.tolist() == [0.0, 1.0]


def test_a_stated_part_is_kept(tmp_path: Path):
    paths = write(tmp_path, "id,age,sex,nodes,part\nb,61,m,0,test\na,70,,3,\n")
    assert {case.name: case.part for case in read_cohort(paths, TABLES, label="nodes", above=0).cases} == {
        "a": None,
        "b": "test",
    }


@pytest.mark.parametrize(
    ("clinical", "blood", "sentence"),
    [
        (CLINICAL.replace("61", "610"), BLOOD, "clinical.csv, id b: age lies between 0 and 120, not at 610"),
        (CLINICAL.replace("61,m", "61,x"), BLOOD, "clinical.csv, id b: sex is one of f, m, not “x”"),
        (CLINICAL, BLOOD.replace("7.5", "1e39"), "blood.csv, id a: leukocytes is a number, not “1e39”"),
        (CLINICAL.replace("m,0", "m,none"), BLOOD, "clinical.csv, id b: “none” is no number"),
        (CLINICAL.replace("age", "years"), BLOOD, "no column “age” is in clinical.csv, blood.csv"),
        (CLINICAL + "a,1,f,0\n", BLOOD, "clinical.csv has a twice"),
        (CLINICAL, BLOOD.replace("id", "patient"), "blood.csv begins with patient and clinical.csv with id"),
        (CLINICAL, "id,leukocytes,age\na,7,1\n", "“age” is in clinical.csv and in blood.csv"),
        ("id,age,sex,nodes,part\nb,61,m,0,tset\na,70,,3,\nc,55,f,,\n", BLOOD, "b states the part tset"),
        (CLINICAL + "d,60,f", BLOOD, "clinical.csv, id d: it has 3 values where the first line has 4 names"),
        ("id,age,sex,nodes\na,1,f,\n", BLOOD, "no patient of clinical.csv has anything in nodes"),
    ],
)
def test_what_is_wrong_names_file_and_patient(tmp_path: Path, clinical: str, blood: str, sentence: str):
    with pytest.raises(InputError, match=sentence):
        read_cohort(write(tmp_path, clinical, blood), TABLES, label="nodes", above=0)


def test_a_class_that_nobody_named_is_no_negative_one(tmp_path: Path):
    paths = write(tmp_path, CLINICAL.replace("m,0", "m,no").replace(",3", ",Yes"))
    with pytest.raises(InputError, match=r"clinical\.csv, id a: “Yes” is neither said to be positive nor negative"):
        read_cohort(paths, TABLES, label="nodes", positive=["yes"], negative=["no"])


def test_all_that_is_wrong_is_named_in_one_go(tmp_path: Path):
    clinical = "id,age,sex,nodes\n" + "".join(f"p{number:02},{500 + number},x,0\n" for number in range(15))
    with pytest.raises(InputError) as caught:
        read_cohort(write(tmp_path, clinical, "id,leukocytes\np00,<1\n"), TABLES, label="nodes", above=0)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # another process tells the same
        lines = str(error).splitlines()
        assert lines[0] == "clinical.csv, id p00: age lies between 0 and 120, not at 500."
        assert lines[1] == "clinical.csv, id p00: sex is one of f, m, not “x”."
        assert lines[2].startswith("blood.csv, id p00: leukocytes: “<1” is a bound and no value")
        assert len(lines) == 21 and lines[-1] == "… and 11 more"


def test_units_words_for_nothing_and_files_of_other_programs_are_taken(tmp_path: Path):
    openpyxl = pytest.importorskip("openpyxl")
    tables = (Table(name="a", key="a", columns=(Column(name="hb", unit="g/dl"), Column(name="crp", unit="mg/l"))),)
    book = openpyxl.Workbook()
    for row in (["id", "hb (g/l)", "node"], ["007", 140, "yes"], ["8", "n/a", "NA"], ["9", "unknown", "no"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "b.csv").write_text("id;crp\n007;7,5\n9;1.200,5\n", encoding="utf-8-sig")
    paths = [tmp_path / "a.xlsx", tmp_path / "b.csv"]
    cohort = read_cohort(paths, tables, label="node", positive=["yes"], negative=["no"])
    assert [case.name for case in cohort.cases] == ["007", "9"] and cohort.unlabelled == ("8",)
    np.testing.assert_allclose(cohort.rows["a"], [[14, 7.5], [np.nan, 1200.5]])


def test_a_column_that_is_missing_is_looked_for_under_another_spelling(tmp_path: Path):
    with pytest.raises(InputError, match=r"no column “leukocytes” is in .* \(did you mean “leucocytes”\?\)"):
        read_cohort(write(tmp_path, CLINICAL, "id,leucocytes\na,1\n"), TABLES, label="nodes", above=0)


def test_patients_who_are_written_in_two_ways_are_told(tmp_path: Path):
    paths = write(tmp_path, CLINICAL.replace("\nb,", "\n007,"), "id,leukocytes\n7,7.5\nz,9\n")
    cohort = read_cohort(paths, TABLES, label="nodes", above=0)
    assert cohort.notices == (
        "blood.csv has no patient whom clinical.csv has.",
        "“007” of clinical.csv and “7” of blood.csv count as two patients: write them alike where they are one.",
    )
    assert read_cohort(write(tmp_path), TABLES, label="nodes", above=0).notices == ()


def test_where_commas_are_decimal_a_point_may_set_thousands_apart(tmp_path: Path):
    text = "id;nodes;leukocytes\n1.234;{};7,5\nb;1;{}\n"
    paths = write(tmp_path, "id;age;sex\n1.234;60;m\nb;61;f\n", text.format("0", "1,234"))
    cohort = read_cohort(paths, TABLES, label="nodes", above=0)
    assert [case.name for case in cohort.cases] == ["1.234", "b"]
    np.testing.assert_allclose(cohort.rows["blood"], [[7.5], [1.234]])
    for cells in (("1.234", "1,5"), ("0", "1.234")):
        paths = write(tmp_path, "id;age;sex\n1.234;60;m\nb;61;f\n", text.format(*cells))
        with pytest.raises(InputError, match=r"“1\.234” may be 1234 or 1,234: write one of the two"):
            read_cohort(paths, TABLES, label="nodes", above=0)
        row = f"{paths[1]}#{'1.234' if cells[0] == '1.234' else 'b'}"
        nodes = Table(name="blood", key="blood", columns=(Column(name="leukocytes"), Column(name="nodes")))
        with pytest.raises(InputError, match=r"“1\.234” may be 1234 or 1,234: write one of the two"):
            read_row(row, nodes)
