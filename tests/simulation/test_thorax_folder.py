"""Simulated chests and heads on disk: what is written is what was simulated, and the truth stands apart."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from diffuscope.cases.find import SIMULATED, TABLE, find_cases
from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.simulation.thorax_brain import KEYS, MPP, REPORT, reports
from diffuscope.simulation.thorax_brain.dataset import REPORTS, TRUTH, Plan, read_truth, subjects, write_cohort
from diffuscope.simulation.thorax_brain.findings import KINDS

PLAN = Plan(patients=5, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohort") / "thorax"
    assert write_cohort(out, PLAN) == 5
    return out


def test_images_and_reports_are_those_of_the_subjects(folder: Path):
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["case", *KEYS, REPORT]
    for row, subject in zip(rows, subjects(PLAN), strict=True):
        assert (row["case"], row[REPORT]) == (subject.name, subject.report)
        for key in KEYS:
            scan = open_scan(folder / row[key])
            assert (scan.mpp, scan.channels) == (MPP, (key,))
            np.testing.assert_array_equal(np.asarray(scan.levels[0])[..., 0], subject.images[key])


def test_the_truth_stands_apart(folder: Path):
    truth = read_truth(folder)
    assert truth == {subject.name: subject.findings for subject in subjects(PLAN)}
    assert {len(findings.items) for findings in truth.values()} > {0}
    assert TRUTH not in (folder / TABLE).read_text(encoding="utf-8")
    assert (folder / SIMULATED).read_text(encoding="utf-8").startswith("SIMULATED")


def test_its_images_are_found_as_cases(folder: Path):
    assert [case.name for case in find_cases(folder, KEYS)] == sorted(subject.name for subject in subjects(PLAN))


def test_more_patients_begin_with_the_fewer():
    few, more = (list(subjects(Plan(patients=count, regions=("head",)))) for count in (2, 3))
    assert [subject.report for subject in few] == [subject.report for subject in more[:2]]
    assert {subject.region for subject in more} == {"head"}


def test_the_subjects_that_ship_are_those_of_their_seed():
    ships = sample_path("thorax-simulated/cases.csv").parent
    made = list(subjects(Plan(patients=3, seed=1)))
    assert read_truth(ships) == {subject.name: subject.findings for subject in made}
    assert {item.kind for subject in made for item in subject.findings.items} == set(KINDS)
    with (ships / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row[REPORT] for row in rows] == [subject.report for subject in made]
    for row, subject in zip(rows, made, strict=True):
        for key in KEYS:
            image = np.asarray(open_scan(ships / row[key]).levels[0])[..., 0]
            # A step of twelve bits, or a HU: what rounding may do on another machine.
            np.testing.assert_allclose(image, subject.images[key], atol=1 if key == "ct" else 1 / 4096)


def test_what_cannot_be_written_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="exists"):
        write_cohort(folder, PLAN)
    with pytest.raises(InputError, match="at least one"):
        write_cohort(tmp_path / "none", Plan(patients=0))
    assert not (tmp_path / "none").exists()


def test_reports_of_others_stand_in_a_table_of_their_own(tmp_path: Path):
    write_cohort(tmp_path / "more", Plan(patients=2, seed=3, reports=5))
    with (tmp_path / "more" / TABLE).open(encoding="utf-8", newline="") as file:
        cases = list(csv.DictReader(file))
    with (tmp_path / "more" / REPORTS).open(encoding="utf-8", newline="") as file:
        both = list(csv.DictReader(file))
    assert both[:2] == cases and len(both) == 7 and not any(row["ct"] for row in both[2:])
    assert [row["report"] for row in both[2:]] == list(reports(5, seed=103))
    assert not {row["report"] for row in cases} & {row["report"] for row in both[2:]}
