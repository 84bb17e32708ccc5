"""The verb `radiomics`: a row a patient, empty where nothing is known, and one bad patient does not stop it."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from diffuscope.api.events import Measured
from diffuscope.api.radiomics import radiomics
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.events import Notice
from diffuscope.radiomics.case import case_row
from diffuscope.radiomics.columns import columns
from diffuscope.radiomics.settings import RadiomicsSettings

SHORT = "features: [morph_volume, stat_mean]\nspacing: 1.5\n"


@pytest.fixture
def cohort(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Return a table of four patients: whole, without a CT, with a mask that is not there, with a CT alone."""
    ct, labels = rng.normal(40, 20, (30, 32, 12)).astype(np.int16), np.zeros((30, 32, 12), np.uint8)
    labels[4:14, 4:14, 3:9] = 1
    labels[18:24, 18:26, 2:6] = 3
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    for name, values in (("ct", ct), ("mask", labels)):
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"{name}.nii.gz")
    table = tmp_path / "scans.csv"
    table.write_text(
        "patient_id,age,ct,mask\nP1,60,ct.nii.gz,mask.nii.gz\nP2,61,,\nP3,62,ct.nii.gz,no.nii.gz\nP4,63,ct.nii.gz,\n"
    )
    (tmp_path / "short.yaml").write_text(SHORT)
    return table


def test_a_patient_has_the_row_of_the_case_and_who_cannot_be_measured_is_told(cohort: Path):
    out = cohort.with_name("radiomics.csv")
    events = list(radiomics(cohort, out, settings=cohort.with_name("short.yaml")))
    settings = RadiomicsSettings(features=("morph_volume", "stat_mean"), spacing=1.5)
    with out.open(encoding="utf-8", newline="") as file:
        first, *others = csv.DictReader(file)
    # As the reader turns volumes: slices, rows from the front, columns from the right.
    ct, labels = (
        np.asarray(nib.load(cohort.with_name(f"{name}.nii.gz")).dataobj).transpose(2, 1, 0) for name in ("ct", "mask")
    )
    expected = case_row(ct, labels, (2, 1, 1), settings)
    assert tuple(first) == ("patient_id", *columns(settings)) and first.pop("patient_id") == "P1"
    assert {name: float(text) for name, text in first.items()} == pytest.approx(expected, rel=1e-5)
    assert [row.pop("patient_id") for row in others] == ["P2", "P3", "P4"]
    assert {text for row in others for text in row.values()} == {""}
    told = [event.sentence for event in events if isinstance(event, Notice)]
    assert len(told) == 2 and told[0].startswith("P3 is left empty: ") and "no.nii.gz" in told[0]
    assert told[1] == "P4 is left empty: there is no mask beside the ct: give both."
    assert isinstance(events[-1], Measured) and events[-1].path == out and len(events[-1].rows) == 4


def test_who_is_there_twice_is_left_empty_and_does_not_stop_the_others(cohort: Path):
    row = "ct.nii.gz,mask.nii.gz\n"
    cohort.write_text(f"patient_id,ct,mask\nP1,{row}P2,{row}P2,{row},{row}P3,{row[:-1]},x\n")
    *events, end = radiomics(cohort, cohort.with_name("radiomics.csv"), settings=cohort.with_name("short.yaml"))
    assert [event.sentence for event in events if isinstance(event, Notice)] == [
        "P2 is left empty: scans.csv has P2 twice, again in line 4: leave one out.",
        "P3 is left empty: scans.csv, patient_id P3: it has more values than the first line has names.",
        "A row without a patient is left empty: scans.csv, line 5: it names no patient_id.",
    ]
    assert [row["patient_id"] for row in end.rows] == ["P1", "P2", "P3", ""]
    assert [row["tumour_morph_volume"] is not None for row in end.rows] == [True, False, False, False]


def test_what_nobody_foresaw_in_one_patient_costs_the_others_nothing(cohort: Path, monkeypatch: pytest.MonkeyPatch):
    row = "ct.nii.gz,mask.nii.gz\n"
    cohort.write_text(f"patient_id,ct,mask\nP1,{row}P2,{row}")
    faults = iter((ZeroDivisionError("by a secret"), None))

    def measured(*given: object) -> dict[str, float]:
        if (fault := next(faults)) is not None:
            raise fault
        return case_row(*given)

    monkeypatch.setattr("diffuscope.api.radiomics.case_row", measured)
    *events, end = radiomics(cohort, cohort.with_name("radiomics.csv"), settings=cohort.with_name("short.yaml"))
    said = [event.sentence for event in events if isinstance(event, Notice)]
    assert len(said) == 1 and said[0].startswith("P1 is left empty: something went wrong") and "secret" not in said[0]
    assert [row["tumour_morph_volume"] is not None for row in end.rows] == [False, True]


@pytest.mark.parametrize("rows", ["P1,ct.nii.gz,no.nii.gz\nP2,,\n", "P1,,\n", "P1,ct.nii.gz,\nP1,ct.nii.gz,\n"])
def test_a_command_that_could_measure_nobody_ends_with_status_2(cohort: Path, rows: str):
    cohort.write_text(f"patient_id,ct,mask\n{rows}")
    out = cohort.with_name("radiomics.csv")
    done = CliRunner().invoke(
        app, ["radiomics", str(cohort), "-o", str(out), "--settings", str(cohort.with_name("short.yaml"))]
    )
    assert done.exit_code == 2 and f"Wrote {out} (0 of " in done.stdout and out.is_file()


def test_the_command_writes_the_table_and_does_not_write_over_one(cohort: Path):
    out = cohort.with_name("radiomics.csv")
    words = ["radiomics", str(cohort), "-o", str(out), "--settings", str(cohort.with_name("short.yaml"))]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and f"Wrote {out} (1 of 4 measured)" in done.output and out.is_file()
    again = CliRunner().invoke(app, words)
    assert again.exit_code != 0 and "exists already" in again.output
    with pytest.raises(InputError, match="which is read for it"):
        radiomics(cohort, cohort, overwrite=True)


@pytest.mark.parametrize(
    ("table", "settings", "said"),
    [
        ("patient_id,ct\nP1,ct.nii.gz\n", SHORT, "scans.csv has no column “mask”"),
        ("ct,mask\nct.nii.gz,mask.nii.gz\n", SHORT, "no column “ct” beside the patient"),
        ("patient_id,ct,mask\n", SHORT, "scans.csv has no row"),
        (None, "bins: 3\n", "short.yaml has a wrong entry at 'bins'"),
        (None, "bin_widht: 3\n", r"at 'bin_widht': .* \(did you mean 'bin_width'\?\)\.$"),
        (None, "range: [300, -200]\n", r"short\.yaml cannot be used: range: 300 is not below -200\.$"),
        (None, "", r"short\.yaml cannot be used: it should hold entries, KEY: VALUE\.$"),
        (None, "range: null\n", r"at 'range': give two numbers, low and high, either of which may be null"),
        (None, "range: [1, 2, 3]\n", r"at 'range': give two numbers, low and high"),
        (None, "features: stat_mean\n", r"at 'features': it should be a list, \[FIRST, SECOND, …\]\.$"),
        (None, "features: []\n", r"at 'features': it should have at least 1 of them, not 0\.$"),
        (None, "by_slice: maybe\n", r"at 'by_slice': it should be true or false\.$"),
        (None, "features: [1]\n", r"at 'features\.0': it should be text\.$"),
        (None, "features: [morph_weight]\n", "“morph_weight” is no feature"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(cohort: Path, table: str | None, settings: str, said: str):
    if table is not None:
        cohort.write_text(table)
    cohort.with_name("short.yaml").write_text(settings)
    with pytest.raises(InputError, match=said):
        radiomics(cohort, cohort.with_name("radiomics.csv"), settings=cohort.with_name("short.yaml"))
