"""A score is trained on tables: from a recipe to a model that scores a case; test rows touch nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from model_card import CARD

import diffuscope
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.training.data.cohort import LABEL
from diffuscope.training.events import TrainingStarted, Validated
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import Recipe

CONFIG = {
    "width": 16,
    "tables": [
        {
            "name": "clinical data",
            "key": "clinical",
            "columns": [{"name": "age"}, {"name": "sex", "categories": ["f", "m"]}],
        },
        {"name": "blood", "key": "blood", "columns": [{"name": "leukocytes"}]},
    ],
}


def cohort(folder: Path, *, count: int = 120, tested: float = 50.0) -> None:
    """Write patients whose nodes go by their age; 20 of them test, whose age is then `tested`."""
    rng = np.random.default_rng(0)
    lines, blood = ["id,age,sex,nodes,part"], ["id,leukocytes"]
    for number in range(count):
        tests = number < 20
        age = tested if tests else rng.uniform(30, 90)
        lines.append(f"p{number:03d},{age:.4f},{rng.choice(['f', 'm'])},{int(age > 60)},{'test' if tests else ''}")
        if number % 3:
            blood.append(f"p{number:03d},{rng.normal(8, 2):.2f}")
    (folder / "clinical.csv").write_text("\n".join(lines), encoding="utf-8")
    (folder / "blood.csv").write_text("\n".join(blood), encoding="utf-8")


def recipe(**optimisation: object) -> dict:
    return {
        "name": "nodes",
        "system": "mmfusion",
        "config": CONFIG,
        "data": {"cohort": ["clinical.csv", "blood.csv"], "label": "nodes", "above": 0},
        "optimisation": {
            "steps": 150,
            "batch": 32,
            "learning_rate": 5e-3,
            "warmup": 5,
            "validations": 3,
            **optimisation,
        },
    }


def test_a_model_is_trained_measured_and_scores_a_case(tmp_path: Path):
    cohort(tmp_path)
    (tmp_path / "nodes.yaml").write_text(json.dumps(recipe()), encoding="utf-8")
    diffuscope.finish(diffuscope.train(tmp_path / "nodes.yaml", tmp_path / "model", device="cpu"))
    figures = json.loads((tmp_path / "model" / "config.json").read_text())["card"]["figures"]
    assert figures["validation cases"] == 24 and figures["validation AUROC"] > 0.9
    scores = {}
    for age in (40, 80):
        out = tmp_path / f"{age}.ome.zarr"
        diffuscope.finish(diffuscope.run(tmp_path / "model", {"clinical": {"age": age}}, out, device="cpu"))
        scores[age] = np.mean(open_result(out).scores["metastasis"].samples)
    assert scores[40] < 0.4 and scores[80] > 0.6


def test_whom_a_recipe_holds_out_is_in_that_part(tmp_path: Path):
    cohort(tmp_path, count=100)
    made = recipe()
    made["data"] |= {"test_on": ["p050", "p051"], "validate_on": ["p060", "p061", "p062"]}
    (one,) = prepare(Recipe.model_validate(made), tmp_path)
    assert one.data.notices[0].startswith("75 patients (") and "and 3 patients (" in one.data.notices[0]


def test_parts_that_all_patients_state_are_theirs_however_few_validate(tmp_path: Path):
    made = parted(tmp_path, alike="")
    made["data"]["validation"] = 0.5
    (one,) = prepare(Recipe.model_validate(made), tmp_path)
    assert Counter(one.parts.values()) == {"train": 30, "validation": 10}
    assert one.data.notices[0].startswith("30 patients (") and len(one.data.validation[0]["label"]) == 10


@pytest.mark.parametrize("part", ["validate_on", "test_on"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("p50", r"holds p50 out, which is no patient of clinical\.csv, blood\.csv: did you mean p\d*50\?"),
        ("P051", r"holds P051 out, which is no patient of clinical\.csv, blood\.csv: did you mean p051\?"),
        ("p052", "holds p052 out, of whom nothing stands in nodes: "),
    ],
)
def test_nobody_trains_who_is_to_be_held_out_by_a_name_that_there_is_not(
    tmp_path: Path, part: str, name: str, words: str
):
    cohort(tmp_path)
    path = tmp_path / "clinical.csv"
    path.write_text(re.sub(r"(p052,.*?,.,)\d", r"\1", path.read_text(encoding="utf-8")), encoding="utf-8")
    made = recipe()
    made["data"] |= {part: [name]}
    with pytest.raises(InputError, match=words):
        prepare(Recipe.model_validate(made), tmp_path)


def test_how_tables_were_read_is_told_when_training_starts(tmp_path: Path):
    cohort(tmp_path)
    path = tmp_path / "blood.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("leukocytes", "leukocytes [/nl]"), encoding="utf-8")
    made = recipe()
    blood = {"name": "blood", "key": "blood", "columns": [{"name": "leukocytes", "unit": "10⁶/µl"}]}
    made["config"] = CONFIG | {"tables": [CONFIG["tables"][0], blood]}
    (one,) = prepare(Recipe.model_validate(made), tmp_path)
    assert one.data.notices == (
        "76 patients (35 negative, 41 positive) train, and 24 patients (9 negative, 15 positive) validate.",
        "blood.csv: leukocytes was converted from /nl to 10⁶/µl.",
    )


def test_test_rows_touch_nothing(tmp_path: Path):
    """The same training, scales and batches, whatever stands in the rows that test."""
    made = []
    for tested in (50.0, 1e6):
        folder = tmp_path / f"{tested:g}"
        folder.mkdir()
        cohort(folder, tested=tested)
        (one,) = prepare(Recipe.model_validate(recipe()), folder)
        made.append(one)
    first, second = (one.start.system.state_dict() for one in made)
    assert all((first[key] == second[key]).all() for key in first)
    age = float(first["scales.0.mean"][0])
    assert 50 < age < 70
    for one, other in zip(*(one.data.validation for one in made), strict=True):
        assert all(np.array_equal(one[key], other[key], equal_nan=True) for key in one)
    for number in (0, 1, 7):
        batches = [one.data.batch_at(number) for one in made]
        assert all(np.array_equal(batches[0][key], batches[1][key], equal_nan=True) for key in batches[0])
        assert (batches[0]["clinical"][:, 0] < 1e5).all()


def test_every_row_comes_once_an_epoch(tmp_path: Path):
    cohort(tmp_path)
    (one,) = prepare(Recipe.model_validate(recipe(batch=19)), tmp_path)
    seen = np.concatenate([one.data.batch_at(number)["clinical"][:, 0] for number in range(4)])
    assert len(set(seen.tolist())) == len(seen) == 76 and len(one.data.validation[0][LABEL]) == 24


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"positive": ["1"]}, "which values are positive and which negative, or above"),
        ({"cohort": ["gone.csv"]}, "gone.csv"),
        ({"label": "nods"}, "no column “nods”"),
        ({"above": 1000}, r"all 120 patients are negative \(nodes above 1000\), .*: state another label or above\.$"),
        ({"above": -1}, r"all 120 patients are positive \(nodes above -1\)"),
        (
            {"above": None, "positive": ["0", "1"], "negative": ["2"]},
            r"all 120 patients are positive \(nodes\), .*: state another label, positive or negative\.$",
        ),
    ],
)
def test_data_that_cannot_be_are_refused(tmp_path: Path, change: dict, sentence: str):
    cohort(tmp_path)
    stated = recipe()
    stated["data"] |= change
    (tmp_path / "nodes.yaml").write_text(json.dumps(stated), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        diffuscope.train(tmp_path / "nodes.yaml", tmp_path / "model", device="cpu")
    assert not (tmp_path / "model").exists()


def parted(folder: Path, *, alike: str) -> dict:
    """Write patients of whom every fourth validates, and those of one part are all negative."""
    cohort(folder)
    lines = ["id,age,sex,nodes,part"]
    for number in range(40):
        part = "train" if number % 4 else "validation"
        lines.append(f"p{number:03d},{30 + number},f,{number // 4 % 2 if part != alike else 0},{part}")
    (folder / "clinical.csv").write_text("\n".join(lines), encoding="utf-8")
    made = recipe(steps=4, validations=1)
    return made | {"config": CONFIG | {"threshold": 0.4}}


def test_patients_who_train_and_are_all_alike_are_refused(tmp_path: Path):
    (tmp_path / "nodes.yaml").write_text(json.dumps(parted(tmp_path, alike="train")), encoding="utf-8")
    with pytest.raises(InputError, match=r"^all 30 patients who train are negative .* or other parts\.$"):
        diffuscope.train(tmp_path / "nodes.yaml", tmp_path / "model", device="cpu")


def test_what_needs_both_classes_is_no_number_where_those_who_validate_are_alike(tmp_path: Path):
    (tmp_path / "nodes.yaml").write_text(json.dumps(parted(tmp_path, alike="validation")), encoding="utf-8")
    events = list(diffuscope.train(tmp_path / "nodes.yaml", tmp_path / "model", device="cpu"))
    told = next(event.notices for event in events if isinstance(event, TrainingStarted))
    assert told == (
        "30 patients (15 negative, 15 positive) train, and 10 patients (10 negative, 0 positive) validate.",
        "All who validate are negative: AUROC, AUPRC and macro precision, recall and F1 of the model stay unknown.",
    )
    [[loss]] = [event.notices for event in events if isinstance(event, Validated)]
    assert re.fullmatch(r"step 4: validation loss [0-9.]+, the best so far", loss)
    card = json.loads((tmp_path / "model" / "config.json").read_text())["card"]
    assert card["what_it_is"].startswith("An MMFusion model (lymph-node metastasis from clinical data, blood) that was")
    figures = card["figures"]
    wanted = {f"validation {name}" for name in ("accuracy", "Brier", "ECE", "cases")}
    assert figures.keys() == wanted and figures["validation cases"] == 10


def test_pictures_are_not_trained_on_tables(tmp_path: Path):
    cohort(tmp_path)
    stated = recipe() | {"system": "cell-masks", "config": {"stain": "CD3"}}
    with pytest.raises(InputError, match="CellMasks takes no tables"):
        prepare(Recipe.model_validate(stated), tmp_path)


def test_a_model_that_is_gone_on_with_keeps_its_scale(tmp_path: Path):
    cohort(tmp_path)
    (made,) = prepare(Recipe.model_validate(recipe()), tmp_path)
    save_model(tmp_path / "begun", made.start.system, "mmfusion", {**CONFIG}, CARD)
    (tmp_path / "clinical.csv").write_text((tmp_path / "clinical.csv").read_text().replace(",f,", ",m,"))
    blood = (tmp_path / "blood.csv").read_text().splitlines()
    (tmp_path / "blood.csv").write_text("\n".join([blood[0], *(f"{line}0" for line in blood[1:])]).replace(".", ""))
    (more,) = prepare(Recipe.model_validate(recipe() | {"init_from": str(tmp_path / "begun"), "config": {}}), tmp_path)
    before, after = (one.start.system.scales[1].mean for one in (made, more))
    assert before.tolist() == pytest.approx(after.tolist(), rel=1e-3) and before[0] < 10
    assert float(np.nanmean(more.data.batch_at(0)["blood"])) > 100


@pytest.mark.parametrize("verb", ["evaluate", "check_data"])
def test_what_is_for_images_refuses_a_model_without(tmp_path: Path, verb: str):
    cohort(tmp_path)
    (made,) = prepare(Recipe.model_validate(recipe()), tmp_path)
    model = save_model(tmp_path / "nodes", made.start.system, "mmfusion", {**CONFIG}, CARD)
    call = {
        "evaluate": lambda: diffuscope.evaluate(model, tmp_path, tmp_path / "report"),
        "check_data": lambda: diffuscope.check_data(tmp_path, model=model),
    }[verb]
    with pytest.raises(InputError, match="nodes takes or gives no image"):
        call()
    assert not (tmp_path / "report").exists()


def test_tables_are_not_trained_on_pictures(tmp_path: Path):
    stated = recipe() | {"data": {"path": "pictures"}}
    with pytest.raises(InputError, match="mmfusion takes or gives no image: pictures and volumes are no data for it"):
        prepare(Recipe.model_validate(stated), tmp_path)
