"""`diffuscope score`: what it prints, writes and leaves its status at."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from score_model import BLOOD, CLINICAL, write_model, write_patients
from typer.testing import CliRunner

from diffuscope import finish
from diffuscope.api.prediction import Settings
from diffuscope.api.score import score as score_verb
from diffuscope.cli import app


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_model(tmp_path / "model")


def test_a_cohort_is_written_and_one_case_is_told(model: Path, tmp_path: Path):
    write_patients(tmp_path)
    done = call("score", model, "clinical.csv", "blood.csv", "-o", "scores.csv", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["Wrote scores.csv (3 of 3 scored)", "Research use only; not for diagnosis."]
    score = (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[2].split(",")[1]

    done = call("score", model, "--row", "clinical.csv#002", "--device", "cpu")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["score", f"{float(score):.2f}"]
    assert lines[1].startswith("trained on other such patients (nominal 90 %)") and " to " in lines[1]
    assert any(line.split() == ["missing", "blood"] for line in lines)
    assert ["threshold", "0.50"] in [line.split() for line in lines]
    low, high = (float(one) for one in (tmp_path / "scores.csv").read_text("utf-8").splitlines()[2].split(",")[2:4])
    write_model(tmp_path / "between", threshold=(low + high) / 2)
    done = call("score", "between", "--row", "clinical.csv#002", "--device", "cpu")
    assert ["decision", "undecided"] in [line.split() for line in done.stdout.splitlines()]
    assert lines[-1] == "Research use only; not for diagnosis."


def test_what_cannot_be_scored_is_one_sentence_and_status_2(model: Path, tmp_path: Path):
    write_patients(tmp_path, "patient_id,age\n001,610\n", "patient_id,leukocytes\n001,<1\n")
    for words, sentence in (
        ((), "give tables of patients, or what there is of one case"),
        (("clinical.csv",), "say where the scores of a cohort are to be written: -o scores.csv"),
        (("--row", "age=6e2"), "age (years) lies between 0 and 120, not at 600"),
        (("--row", "nothing.csv#1"), "nothing.csv#1 is no file"),
    ):
        done = call("score", model, *words)
        assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1
    done = call("score", model, "clinical.csv", "blood.csv", "-o", "scores.csv", "--device", "cpu")
    assert done.exit_code == 2 and "Wrote scores.csv (0 of 1 scored)" in done.stdout
    assert "1 of 1 could not be scored, the first: clinical.csv, patient_id 001: age (years)" in done.stderr


@pytest.mark.parametrize(
    ("case", "given"),
    [
        ([], ["clinical.csv", "blood.csv"]),
        (["clinical.csv#001", "blood.csv#001"], ["--row", "clinical.csv#001", "--row", "blood.csv#001"]),
        (["age=61", "count [#/volume]=8.9"], ["--row", "age=61", "--row", "count [#/volume]=8.9"]),
        ([{"age": 61, "sex": "1"}, {"site": None}], ["--row", "age=61.0,sex=1", "--row", "age="]),
    ],
)
def test_the_command_of_the_record_makes_the_table_again(
    model: Path, tmp_path: Path, case: list[str], given: list[str]
):
    counts = {**BLOOD, "columns": [*BLOOD["columns"], {"name": "count [#/volume]"}]}
    write_model(model, tables=[CLINICAL, counts])
    paths, out = write_patients(tmp_path), tmp_path / "scores.csv"
    finish(score_verb(model, () if case else paths, out, rows=case, settings=Settings(device="cpu", samples=8)))
    record = json.loads((tmp_path / "scores.csv.record.json").read_text(encoding="utf-8"))
    words, before = shlex.split(record["command"]), out.read_bytes()
    assert [word for word in words[3:] if word in given] == given
    done = call(*words[1:], "--overwrite")
    assert done.exit_code == 0 and out.read_bytes() == before, done.output
    if case:
        assert record["inputs"]["clinical"]["row"]["age"] == 61.0
        assert before.splitlines()[1].startswith(b"001," if "#001" in case[0] else b",")


def test_what_no_command_line_can_give_has_no_command(model: Path, tmp_path: Path):
    write_model(model, tables=[CLINICAL, {**BLOOD, "columns": [{"name": "Hb, arterial"}]}])
    rows = [{"age": 61, "Hb, arterial": 14}]
    finish(score_verb(model, (), tmp_path / "scores.csv", rows=rows, settings=Settings(device="cpu", samples=8)))
    record = json.loads((tmp_path / "scores.csv.record.json").read_text(encoding="utf-8"))
    assert record["command"] == "" and record["inputs"]["blood"] == {"row": {"Hb, arterial": 14.0}}
