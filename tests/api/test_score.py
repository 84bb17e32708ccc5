"""A cohort is scored: each patient as if alone, what is missing is said, and one bad row does not stop the others."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from score_model import BLOOD_CSV, CLINICAL_CSV, write_model, write_patients

import diffuscope
from diffuscope.api.prediction import Settings
from diffuscope.api.score import score
from diffuscope.errors import InputError
from diffuscope.events import Notice
from diffuscope.results.result import open_result
from diffuscope.results.score_table import COLUMNS

CPU = Settings(device="cpu", samples=8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["patient_id"]: row for row in csv.DictReader(file)}


def scored(model: Path, paths: list[Path], out: Path, **options) -> tuple[dict[str, dict[str, str]], list[str]]:
    events = list(score(model, paths, out, settings=CPU, **options))
    assert events[-1].complete and events[-1].path == out
    return table(out), [event.sentence for event in events if isinstance(event, Notice)]


def test_a_row_is_what_a_run_of_the_patient_gives(model: Path, tmp_path: Path):
    paths = write_patients(tmp_path)
    rows, notices = scored(model, paths, tmp_path / "scores.csv")
    assert list(rows) == ["001", "002", "003"] and list(rows["001"]) == list(COLUMNS) and notices == []
    assert [row["missing"] for row in rows.values()] == ["", "blood", ""]
    assert {row["use"] for row in rows.values()} == {"research only, not for diagnosis"}
    for name, tables in (("001", ("clinical", "blood")), ("002", ("clinical",))):
        source = {key: f"{tmp_path / key}.csv#{name}" for key in tables}
        out = tmp_path / f"{name}.ome.zarr"
        diffuscope.finish(diffuscope.run(model, source, out, device="cpu", samples=8))
        found, row = open_result(out).scores["metastasis"], rows[name]
        assert found.over_guides and found.predictive
        for column, value in (
            ("score", found.mean),
            ("low", found.over_guides[0]),
            ("high", found.over_guides[1]),
            ("predictive_low", found.predictive[0]),
            ("predictive_high", found.predictive[1]),
        ):
            assert float(row[column]) == round(value, 6), column
        assert row["decision"] == found.decision
    record = json.loads((tmp_path / "scores.csv.record.json").read_text(encoding="utf-8"))
    assert record["note"] == "Research use only; not for diagnosis." and record["parameters"]["samples"] == 8
    assert record["model"]["hash"] == json.loads((model / "config.json").read_text())["sha256"]
    assert record["command"].startswith("diffuscope score model clinical.csv blood.csv -o scores.csv --sampler card")


def test_a_score_whose_interval_holds_the_threshold_is_undecided_in_rows_and_table_too(model: Path, tmp_path: Path):
    paths = write_patients(tmp_path)
    plain, _ = scored(model, paths, tmp_path / "plain.csv")
    low, high = (float(plain["001"][name]) for name in ("low", "high"))
    assert low < high and {row["threshold"] for row in plain.values()} == {"0.5"}
    for threshold, decision in (((low + high) / 2, "undecided"), (low / 2, "metastasis")):
        other = write_model(tmp_path / decision, threshold=threshold)
        rows, _ = scored(other, paths, tmp_path / f"{decision}.csv")
        assert rows["001"] == plain["001"] | {"decision": decision, "threshold": str(round(threshold, 6))}
        alone = diffuscope.finish(score(other, rows=[f"{path}#001" for path in paths], settings=CPU)).rows[0]
        assert alone["decision"] == decision and alone["threshold"] == round(threshold, 6)
        source = {key: f"{tmp_path / key}.csv#001" for key in ("clinical", "blood")}
        out = diffuscope.finish(
            diffuscope.run(other, source, tmp_path / f"{decision}.ome.zarr", device="cpu", samples=8)
        )
        assert open_result(out.out).scores["metastasis"].verdict.endswith(f": {decision}")


def test_a_table_of_before_is_replaced_as_well(model: Path, tmp_path: Path):
    paths, out = write_patients(tmp_path), tmp_path / "scores.csv"
    out.write_text(
        "patient_id,score,low,high,predictive_low,predictive_high,decision,missing,unlike,error,use\n", encoding="utf-8"
    )
    rows, _ = scored(model, paths, out, overwrite=True)
    assert list(rows) == ["001", "002", "003"]


def test_a_score_does_not_hang_on_who_and_what_else_is_there(model: Path, tmp_path: Path):
    paths = write_patients(tmp_path)
    rows, _ = scored(model, paths, tmp_path / "a.csv")
    other = tmp_path / "other"
    other.mkdir()
    (other / "all.csv").write_text(
        "patient_id;part;leukocytes [cells/µl];site;sex;age (months);Hemoglobin [Mass/volume] in Blood (g/l)\n"
        "9;train;NA;1;0;600;140\n003;;12000;;0;660;99\n001;;7500;0;TRUE;732;141\n",
        encoding="utf-8-sig",
    )
    again, notices = scored(model, [other / "all.csv"], tmp_path / "b.csv")
    assert list(again) == ["9", "003", "001"]
    assert again["001"] == rows["001"] and again["003"] == rows["003"]
    assert notices == [
        "all.csv: leukocytes was converted from cells/µl to 10³/µl.",
        "all.csv: age was converted from months to years.",
        "all.csv: Hemoglobin [Mass/volume] in Blood was converted from g/l to g/dl.",
        "all.csv: not used is part.",
    ]


def test_a_table_that_no_file_has_is_missing_and_said_once(model: Path, tmp_path: Path):
    paths = write_patients(tmp_path, CLINICAL_CSV.replace(",site", ",tumour"))
    rows, notices = scored(model, paths[:1], tmp_path / "scores.csv")
    assert {row["missing"] for row in rows.values()} == {"blood"}
    assert notices == [
        "clinical.csv: not used is tumour.",
        "No file has site of clinical data: not known of any patient.",
        "No file has a column of blood: it counts as missing.",
    ]


def test_two_tables_of_one_file_tell_once_what_is_not_used(model: Path, tmp_path: Path):
    (tmp_path / "all.csv").write_text("patient_id,age,leukocytes,ward\n001,61,7.5,B\n", encoding="utf-8")
    row = f"{tmp_path / 'all.csv'}#001"
    done = diffuscope.finish(
        diffuscope.run(model, {"clinical": row, "blood": row}, tmp_path / "r.ome.zarr", device="cpu", samples=2)
    )
    told = [one for one in open_result(done.out).record["notices"] if "not used" in one]
    assert told == ["all.csv: not used is ward."]


def test_one_bad_row_does_not_stop_the_others(model: Path, tmp_path: Path):
    good, _ = scored(model, write_patients(tmp_path), tmp_path / "good.csv")
    clinical = CLINICAL_CSV + "004,610,5,0\n005,1,0,0\n005,2,0,0\n006,1,0,0,0\n007,,,\n,1,0,0\n"
    rows, notices = scored(model, write_patients(tmp_path, clinical), tmp_path / "scores.csv")
    assert {name: rows[name] for name in good} == good
    errors = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert errors == {
        "004": "clinical.csv, patient_id 004: age (years) lies between 0 and 120, not at 610. "
        "clinical.csv, patient_id 004: sex is one of 0, 1, not “5”.",
        "005": "clinical.csv has 005 twice, again in line 7: leave one out.",
        "006": "clinical.csv, patient_id 006: it has more values than the first line has names.",
        "007": "one of clinical data, blood is needed: give at least one.",
        "": "clinical.csv, line 10: it names no patient_id.",
    }
    assert all(rows[name]["score"] == rows[name]["missing"] == "" for name in errors)
    assert notices[-1].startswith("5 of 8 could not be scored, the first: clinical.csv, patient_id 004: age")


@pytest.mark.parametrize(
    ("clinical", "sentence"),
    [
        (CLINICAL_CSV.replace(",age", ",agee"), "clinical.csv has a column “agee”; if that is “age”, call it so"),
        (CLINICAL_CSV.replace(",age", ",age [kg]"), "“age .kg.” cannot be converted to years"),
        ("patient_id,x\n1,2\n", "no column of clinical.csv is one of model"),
        (CLINICAL_CSV.replace("patient_id", "id"), "blood.csv begins with patient_id and clinical.csv with id"),
    ],
)
def test_what_is_wrong_with_all_is_refused_before_anything_is_written(
    model: Path, tmp_path: Path, clinical: str, sentence: str
):
    paths = write_patients(tmp_path, clinical)
    if "no column" in sentence:
        paths = paths[:1]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=sentence):
        score(model, paths, tmp_path / "scores.csv", settings=CPU)
    assert sorted(tmp_path.iterdir()) == before


def test_one_case_is_given_by_rows_of_any_tables(model: Path, tmp_path: Path):
    paths = write_patients(tmp_path)
    rows, _ = scored(model, paths, tmp_path / "scores.csv")
    one = [f"{paths[0]}#001", f"{paths[1]}#001"]
    [*_, end] = score(model, rows=one, settings=CPU)
    assert end.path is None and {name: str(value) for name, value in end.rows[0].items()} == rows["001"]
    typed = "age=61,sex=1,site=0,leukocytes=7.5,Hemoglobin [Mass/volume] in Blood=14.1"
    for given in ([typed], [{"age": 61, "sex": 1}, f"{paths[1]}#001", "site=0"]):
        [*_, end] = score(model, rows=given, settings=CPU)
        assert str(end.rows[0]["score"]) == rows["001"]["score"]
    for given, sentence in (
        ([*one, "age=61"], "age is given twice"),
        (["agee=61"], "no column “agee”: did you mean “age”"),
        (["age=500"], "age .years. lies between"),
        ([f"{paths[0]}#9"], "0 rows whose patient_id is “9”"),
    ):
        with pytest.raises(InputError, match=sentence):
            score(model, rows=given, settings=CPU)
    with pytest.raises(InputError, match="at least one"):
        list(score(model, rows=["age=NA"], settings=CPU))
    with pytest.raises(InputError, match="one of the two"):
        score(model, paths, tmp_path / "b.csv", rows=one)


def test_what_gives_no_score_is_refused(tiny_model: Path, tmp_path: Path):
    with pytest.raises(InputError, match="gives no score of a case"):
        score(tiny_model, write_patients(tmp_path), tmp_path / "scores.csv")


def test_only_tables_of_scores_are_ever_replaced(model: Path, tmp_path: Path):
    paths, out = write_patients(tmp_path), tmp_path / "scores.csv"
    first, _ = scored(model, paths, out)
    with pytest.raises(InputError, match=r"scores\.csv exists already: choose another name, or say --overwrite"):
        score(model, paths, out, settings=CPU)
    paths[1].write_text(BLOOD_CSV.replace("7.5", "17.5"), encoding="utf-8")
    second, _ = scored(model, paths, out, overwrite=True)
    assert second["001"] != first["001"] and second["002"] == first["002"]
    with pytest.raises(InputError, match=r"is, or holds, .*clinical\.csv, which is read for it"):
        score(model, paths, paths[0], settings=CPU, overwrite=True)
    (tmp_path / "mine.csv").write_text("patient_id,score\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="is not a table of scores and is never overwritten"):
        score(model, paths, tmp_path / "mine.csv", settings=CPU, overwrite=True)


def test_images_of_a_cohort_are_those_of_a_run(tmp_path: Path):
    pytest.importorskip("monai")
    sitk = pytest.importorskip("SimpleITK")
    small = {"backbone": "resnet10", "planes": 4, "stem": "small", "norm": "group"}
    model = write_model(tmp_path / "model", images=small | {"tumour": [16, 16, 16], "node": [8, 8, 8]})
    labels = np.zeros((12, 24, 24), np.uint8)
    labels[3:7, 6:14, 8:16] = 2
    for name, array in (("ct", (100 * labels).astype(np.int16)), ("labels", labels), ("other", labels[:, :20])):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((1.5, 1.5, 3.0))
        sitk.WriteImage(image, tmp_path / f"{name}.nii.gz")
    roles = "labels.nii.gz#2=tumour"
    (tmp_path / "c.csv").write_text(
        f"patient_id,age,ct,mask\n1,61,ct.nii.gz,{roles}\n2,61,,\n3,,ct.nii.gz,other.nii.gz\n4,,ct.nii.gz,\n5,61,,{roles}\n",
        encoding="utf-8",
    )
    rows, told = scored(model, [tmp_path / "c.csv"], tmp_path / "scores.csv")
    assert [rows[name]["missing"] for name in "12"] == ["nodes;blood", "tumour;nodes;blood"]
    unknown = "This model does not state how CT looked in its training, so a run cannot tell whether yours is like it."
    assert told.count(unknown) == 1
    source = {"ct": tmp_path / "ct.nii.gz", "mask": f"{tmp_path}/{roles}", "clinical": "age=61"}
    diffuscope.finish(diffuscope.run(model, source, tmp_path / "out.ome.zarr", device="cpu", samples=8))
    assert unknown in open_result(tmp_path / "out.ome.zarr").record["notices"]
    mean = open_result(tmp_path / "out.ome.zarr").scores["metastasis"].mean
    assert float(rows["1"]["score"]) == round(mean, 6) != float(rows["2"]["score"])
    assert "does not lie on" in rows["3"]["error"] and "CT without outlines" in rows["4"]["error"]
    assert "lies on ct, which is not given" in rows["5"]["error"] and not rows["5"]["score"]
    files = {"ct": source["ct"], "mask": source["mask"]}
    [first, *_, end] = score(model, out=tmp_path / "one.csv", files=files, rows=["age=61"], settings=CPU)
    record = json.loads((tmp_path / "one.csv.record.json").read_text(encoding="utf-8"))
    assert "-o one.csv --ct ct.nii.gz --masks 'labels.nii.gz#2=tumour' --row age=61 --sampler" in record["command"]
    assert {key: one.get("name") for key, one in record["inputs"].items()} == {
        "clinical": None,
        "ct": "ct.nii.gz",
        "mask": "labels.nii.gz",
    }
    assert isinstance(first, Notice) and first.sentence == unknown
    assert str(end.rows[0]["score"]) == rows["1"]["score"]
    hole = 100.0 * labels
    hole[0, 0, 0] = np.nan
    image = sitk.GetImageFromArray(hole)
    image.SetSpacing((1.5, 1.5, 3.0))
    sitk.WriteImage(image, tmp_path / "hole.nii.gz")
    told = [*score(model, files=files | {"ct": tmp_path / "hole.nii.gz"}, rows=["age=61"], settings=CPU)]
    assert any("1 voxels" in str(one) and "count as background" in str(one) for one in told)
