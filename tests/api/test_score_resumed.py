"""A cohort that was broken off: what is done is kept, the same call goes on, and another one is refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import SECONDS
from score_model import write_model, write_patients

from diffuscope.api import scoring
from diffuscope.api.prediction import Settings
from diffuscope.api.score import score
from diffuscope.errors import InputError
from diffuscope.events import Progress, finish

CPU = Settings(device="cpu", samples=8)
COUNT = 9


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    clinical = "patient_id,age,sex,site\n" + "".join(f"p{number},{40 + number},1,0\n" for number in range(COUNT))
    return write_patients(tmp_path, clinical.replace("p4,44", "p4,444"))[:1]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cases that are scored."""
    names: list[str] = []
    real = scoring._row

    def row(work, case, *others):
        names.append(case.name)
        return real(work, case, *others)

    monkeypatch.setattr(scoring, "_row", row)
    return names


def broken(model: Path, paths: list[Path], out: Path, after: int, **options) -> None:
    """Close the generator after some patients, as an error of whoever iterates does."""
    events = score(model, paths, out, settings=CPU, **options)
    for event in events:
        if isinstance(event, Progress) and event.done == after:
            break
    events.close()


def test_what_was_broken_off_is_gone_on_with_and_the_same_to_the_byte(
    model: Path, paths: list[Path], tmp_path: Path, counted: list[str]
):
    whole, out = tmp_path / "whole.csv", tmp_path / "scores.csv"
    finish(score(model, paths, whole, settings=CPU))
    counted.clear()
    broken(model, paths, out, after=3)
    assert not out.exists() and (tmp_path / "scores.csv.unfinished").is_dir()
    rows = tmp_path / "scores.csv.unfinished" / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-10])  # a kill cut the last line short
    end = finish(score(model, paths, out, settings=CPU, cancelled=lambda: len(counted) == 7))
    assert not end.complete and end.path == tmp_path / "scores.csv.unfinished" and len(end.rows) == 5
    end = finish(score(model, paths, out, settings=CPU))
    assert end.complete and end.path == out
    # p2's line was cut short, and p5 cancelled between two steps; p4, which cannot be scored, is tried again.
    assert counted == ["p0", "p1", "p2", "p2", "p3", "p4", "p5", "p4", "p5", "p6", "p7", "p8"]
    assert out.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "scores.csv.unfinished").exists()


def test_another_input_setting_or_model_is_refused_and_overwrite_begins_again(
    model: Path, paths: list[Path], tmp_path: Path, counted: list[str]
):
    out = tmp_path / "scores.csv"
    broken(model, paths, out, after=3)
    other = write_model(tmp_path / "other", width=32)
    again = r"scores\.csv\.unfinished was begun with {} .*: ask for the same to resume it, or say --overwrite"
    with pytest.raises(InputError, match=again.format("seed")):
        score(model, paths, out, settings=Settings(device="cpu", samples=8, seed=1))
    with pytest.raises(InputError, match=again.format("model")):
        score(other, paths, out, settings=CPU)
    text = paths[0].read_text(encoding="utf-8")
    paths[0].write_text(text.replace("p0,40", "p0,41"), encoding="utf-8")
    with pytest.raises(InputError, match=again.format("input")):
        score(model, paths, out, settings=CPU)
    counted.clear()
    assert finish(score(model, paths, out, settings=CPU, overwrite=True)).complete
    assert counted[:2] == ["p0", "p1"] and len(counted) == COUNT


def test_each_of_two_tables_of_one_name_is_an_input(model: Path, tmp_path: Path):
    paths = []
    for one in write_patients(tmp_path):
        (tmp_path / one.stem).mkdir()
        paths.append(one.rename(tmp_path / one.stem / "table.csv"))
    out = tmp_path / "scores.csv"
    broken(model, paths, out, after=1)
    begun = json.loads((tmp_path / "scores.csv.unfinished" / "record.json").read_text(encoding="utf-8"))
    assert begun["inputs"] == {
        f"{path.parent.name}/table.csv": hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }
    assert begun["command"].startswith("diffuscope score model clinical/table.csv blood/table.csv -o scores.csv")
    for path in paths:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("001,", "001,1"), encoding="utf-8")
        with pytest.raises(InputError, match="was begun with input"):
            score(model, paths, out, settings=CPU)
        path.write_text(text, encoding="utf-8")
    assert finish(score(model, paths, out, settings=CPU)).complete


def test_an_image_that_changed_is_another_input(tmp_path: Path, paths: list[Path]):
    from diffuscope.cases.to_score import read_cohort_to_score
    from diffuscope.systems.registry import declare

    declared = declare("mmfusion", {"images": {}, "tables": []})
    (tmp_path / "ct.nii.gz").write_bytes(b"1")
    (tmp_path / "images.csv").write_text("patient_id,ct,mask\na,ct.nii.gz,no.nii.gz#1=tumour\n", encoding="utf-8")
    first = read_cohort_to_score([tmp_path / "images.csv"], declared, "model")
    [case] = first.cases
    assert "mask" in case.fault and "no.nii.gz does not exist: mend the path" in case.fault
    (tmp_path / "no.nii.gz").write_bytes(b"2")
    second = read_cohort_to_score([tmp_path / "images.csv"], declared, "model")
    assert not second.cases[0].fault and second.inputs["images"] != first.inputs["images"]
    assert second.inputs["images.csv"] == first.inputs["images.csv"]


def test_a_series_in_a_folder_within_that_changed_is_another_input(tmp_path: Path):
    from diffuscope.cases.to_score import read_cohort_to_score
    from diffuscope.systems.registry import declare

    declared = declare("mmfusion", {"images": {}, "tables": []})
    series = tmp_path / "a" / "study" / "ct"
    series.mkdir(parents=True)
    (series / "0.dcm").write_bytes(b"12")
    (tmp_path / "images.csv").write_text("patient_id,ct\na,a\n", encoding="utf-8")

    def state() -> object:
        return read_cohort_to_score([tmp_path / "images.csv"], declared, "model").inputs["images"]

    first = state()
    assert state() == first
    with (series / "0.dcm").open("r+b") as file:  # in its place, as nothing of its folders tells
        file.write(b"34")
    os.utime(series / "0.dcm", ns=(1, 1))
    second = state()
    (series / "0.dcm").rename(series / "1.dcm")
    assert len({first, second, state()}) == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send")
def test_a_killed_process_loses_no_row(model: Path, tmp_path: Path):
    many = "patient_id,age,sex,site\n" + "".join(f"p{number},{number % 90},1,0\n" for number in range(120))
    paths, out = write_patients(tmp_path, many)[:1], tmp_path / "scores.csv"
    words = [sys.executable, "-m", "diffuscope", "score", model, *paths, "-o", out, "--device", "cpu"]
    with subprocess.Popen(
        [str(word) for word in words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        rows, begun = tmp_path / "scores.csv.unfinished" / "rows.jsonl", time.monotonic()
        while not rows.exists() or rows.read_bytes().count(b"\n") < 12:
            assert process.poll() is None and time.monotonic() - begun < SECONDS
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    kept = rows.read_bytes().count(b"\n")
    done = []
    end = None
    for end in score(model, paths, out, settings=Settings(device="cpu")):
        if isinstance(end, Progress):
            done.append(end.done)
    assert end.complete and 12 <= kept <= done[0] + 1 and len(end.rows) == 120
    other = tmp_path / "again.csv"
    finish(score(model, paths, other, settings=Settings(device="cpu")))
    assert other.read_bytes() == out.read_bytes()
