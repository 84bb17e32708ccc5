"""The row of a patient in the fields of a form: by the first column, over several files, in the model's units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.errors import InputError
from diffuscope.jobs.rows import of_another
from diffuscope.plugin.forms.cases.patient_row import PatientRow
from diffuscope.plugin.forms.cases.table_box import TableBox, meanings
from diffuscope.ports.table import Column, Table

pytestmark = pytest.mark.gui

CLINICAL = Table(
    name="clinical data",
    key="clinical",
    columns=(Column(name="age", unit="years", range=(0, 120)), Column(name="sex", categories=("f", "m"))),
)
NOBODY = ("", {"clinical": {}, "blood": {}})
BLOOD = Table(name="blood", key="blood", columns=(Column(name="haemoglobin", unit="g/l"), Column(name="crp")))


class Heard:
    """What a row told."""

    def __init__(self, qtbot: Any) -> None:
        self.taken: list[Any] = []
        self.complaints: list[str] = []
        self.row = PatientRow(lambda patient, rows: self.taken.append((patient, rows)), self.complaints.append)
        qtbot.addWidget(self.row)
        self.row.set_tables([CLINICAL, BLOOD])

    def choose(self, patient: str) -> Any:
        number = self.row.patient.findText(patient)
        self.row.patient.setCurrentIndex(number)
        self.row.patient.activated.emit(number)
        return self.taken[-1]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rows_of_two_files_are_one_patient_in_the_units_of_the_model(qtbot: Any, tmp_path: Path):
    heard = Heard(qtbot)
    heard.row.read(
        [
            write(tmp_path / "a.csv", "id,age,sex\nP1,63,f\nP2,300,x\n"),
            write(tmp_path / "b.csv", "id,haemoglobin [g/dl],crp,other\nP1,13.5,,9\nP3,12,4,9\n"),
        ]
    )
    told = ["b.csv: haemoglobin was converted from g/dl to g/l.", "b.csv: not used is other."]
    assert heard.row.files.text().split("<br>") == ["a.csv, b.csv", *told] and heard.row.patient.count() == 3
    patient, rows = heard.choose("P1")
    assert patient == "P1" and rows == {"clinical": {"age": "63", "sex": "f"}, "blood": {"haemoglobin": "135"}}
    # what no column takes stays as it is written, for the form to say
    assert heard.choose("P2")[1]["clinical"] == {"age": "300", "sex": "x"}
    assert heard.choose("P3")[1] == {"clinical": {}, "blood": {"haemoglobin": "120", "crp": "4"}}
    assert not heard.complaints


def test_what_may_be_a_thousand_is_left_for_the_form_to_ask_about(qtbot: Any, tmp_path: Path):
    heard = Heard(qtbot)
    heard.row.read([write(tmp_path / "b.csv", "id;haemoglobin;crp\nP1;1.234;12,5\nP2;135;1,234\n")])
    shown = heard.choose("P1")[1]["blood"]
    assert shown == {"haemoglobin": "1,234", "crp": "12.5"}
    with pytest.raises(InputError, match=r"may be 1234 or 1\.234"):
        BLOOD.read(shown)
    assert heard.choose("P2")[1]["blood"] == {"haemoglobin": "135", "crp": "1.234"}


def test_a_table_of_one_row_is_taken_at_once(qtbot: Any, tmp_path: Path):
    heard = Heard(qtbot)
    heard.row.read([write(tmp_path / "a.csv", "id;age\nP9;70\n")])
    assert heard.taken == [("P9", {"clinical": {"age": "70"}, "blood": {}})]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,weight\nP1,70\n", "a.csv has no column of this model (it has id, weight): give a table with age, sex"),
        ("id,haemoglobin [mmol]\nP1,7\n", "cannot be converted to g/l"),
        ("id,age\n", "a.csv has no row"),
        ("id,age,haemoglobn\nP1,7,9\n", "haemoglobn"),
    ],
)
def test_a_table_of_another_kind_is_one_sentence_and_changes_nothing(
    qtbot: Any, tmp_path: Path, text: str, sentence: str
):
    heard = Heard(qtbot)
    heard.row.read([write(tmp_path / "a.csv", text)])
    assert sentence in heard.complaints[0] and not heard.taken
    assert not heard.row.patient.isEnabled()


def test_two_rows_of_one_patient_are_not_chosen_from(qtbot: Any, tmp_path: Path):
    heard = Heard(qtbot)
    heard.row.read([write(tmp_path / "a.csv", "id,age\nP1,63\nP1,64\n")])
    assert heard.row.patient.count() == 1 and heard.taken == [NOBODY]
    assert heard.complaints == ["a.csv has P1 twice, again in line 3: leave one out."]


def test_what_was_known_of_one_patient_does_not_stay_for_another(qtbot: Any, tmp_path: Path):
    """Another table is open and nobody is chosen: the fields are empty, as where a patient cannot be taken."""
    heard = Heard(qtbot)
    heard.row.read([write(tmp_path / "a.csv", "id,age\nP1,63\nP2,70\n")])
    heard.choose("P1")
    heard.row.read([write(tmp_path / "b.csv", "id,age\nQ1,63\nQ2,64\nQ2,65\n")])
    assert heard.taken[-1] == NOBODY and not heard.complaints
    heard.choose("Q1")
    assert heard.choose("Q2") == NOBODY and "Q2 twice" in heard.complaints[0]
    heard.row.patient.setCurrentText("P1")
    heard.row.patient.activated.emit(0)
    assert heard.taken[-1] == NOBODY and "no patient “P1”" in heard.complaints[1]


def test_a_box_tells_how_many_are_known_and_shows_what_is_no_category(qtbot: Any):
    typed: list[dict[str, str]] = []
    box = TableBox(CLINICAL, typed.append)
    qtbot.addWidget(box)
    assert box.fold.text() == "Clinical data: nothing known"
    box.show_row({"age": "63", "sex": "x"})
    assert box.fold.text() == "Clinical data: 2 of 2 known" and not typed
    sex: Any = box.fields["sex"]
    assert sex.currentText() == "x (?)"
    box.show_row({"sex": "f"})
    assert [sex.itemText(number) for number in range(sex.count())] == ["not known", "f", "m"]
    qtbot.keyClicks(box.fields["age"], "7")
    assert typed == [{"sex": "f", "age": "7"}]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Sex: 0 male, 1 female", {"0": "male", "1": "female"}),
        ("Site: 0 lip, tongue or cheek, 1 larynx", {"0": "lip, tongue or cheek", "1": "larynx"}),
        ("Sex: 0 male", {}),
        ("Grade", {}),
        ("", {}),
    ],
)
def test_codes_are_shown_with_what_the_title_says_they_mean(qtbot: Any, title: str, words: dict[str, str]):
    column = Column(name="x", title=title, categories=("0", "1"))
    assert meanings(column) == words
    box = TableBox(Table(name="t", key="t", columns=(column,)), lambda _: None)
    qtbot.addWidget(box)
    field: Any = box.fields["x"]
    assert field.itemText(2) == (f"1 {words['1']}" if words else "1") and field.itemData(2) == "1"


def test_a_row_of_another_image_than_the_one_that_is_chosen_stands_in_the_way_of_run(qtbot: Any, tmp_path: Path):
    heard = Heard(qtbot)
    (tmp_path / "P1").mkdir()
    (tmp_path / "P1" / "ct.nii.gz").write_bytes(b"")
    text = "id,age,ct\nP1,63,P1/ct.nii.gz\nP2,50,P2/ct.nii.gz\nP3,51,\n"
    heard.row.read([write(tmp_path / "a.csv", text)])
    named = {name: heard.row.files_of(name, ["ct", "pet"]).get("ct") for name in ("P1", "P2", "P3", "nobody")}
    assert named["P1"] == tmp_path / "P1" / "ct.nii.gz" and named["P3"] is named["nobody"] is None
    other = tmp_path / "P2" / "ct.nii.gz"
    assert not any((of_another("P1", named["P1"], [named["P1"]]), of_another("P1", None, [other])))
    assert of_another("P1", named["P1"], [other]).startswith("The row of P1 names ct.nii.gz, and ct.nii.gz is given")
    # a table that lies elsewhere than its images: then names are all there is
    assert of_another("P2", named["P2"], [tmp_path / "there" / "ct.nii.gz"]) == ""
    assert "and P1.nii.gz is given" in of_another("P2", named["P2"], [tmp_path / "P1.nii.gz"])
