"""Threshold and calibration come of the patients who validate; those who test change no byte of a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import diffuscope
from diffuscope.evaluation.cohort import draw_rows
from diffuscope.evaluation.decision import choose_threshold
from diffuscope.evaluation.trained import settle
from diffuscope.model.folder import load_model
from diffuscope.systems.calibration import evidence
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.cohort import LABEL
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import Recipe

CONFIG = {
    "width": 16,
    "members": 2,
    "tables": [
        {
            "name": "clinical",
            "key": "clinical",
            "columns": [{"name": "age"}, {"name": "sex", "categories": ["f", "m", "x"]}],
        },
        {"name": "blood", "key": "blood", "columns": [{"name": "platelets"}]},
    ],
}
RECIPE = {
    "name": "nodes",
    "system": "mmfusion",
    "config": CONFIG,
    "data": {"cohort": ["clinical.csv"], "label": "nodes", "above": 0},
    "optimisation": {"steps": 60, "batch": 32, "learning_rate": 5e-3, "warmup": 5, "validations": 6, "keep": "best"},
}


def cohort(folder: Path, *, wild: bool = False, count: int = 160) -> Path:
    """Write patients of whom every fourth validates and every fifth tests; `wild` ones are like nobody else."""
    rng = np.random.default_rng(0)
    lines = ["id,age,sex,platelets,nodes,part"]
    for number in range(count):
        part = "validation" if number % 4 == 0 else "test" if number % 5 == 0 else "train"
        age = rng.uniform(30, 90)
        row = [
            f"{age:.3f}",
            rng.choice(["f", "m"]),
            f"{rng.normal(2.5e5, 5e4):.0f}",
            str(int(age + rng.normal(0, 12) > 60)),
        ]
        if wild and part == "test":
            row = [f"{1e7 * (number + 1)}", "x", "" if number % 2 else "1e-9", str(number % 2)]
        lines.append(",".join([f"p{number:03d}", *row, part]))
    folder.mkdir()
    (folder / "clinical.csv").write_text("\n".join(lines), encoding="utf-8")
    (folder / "nodes.yaml").write_text(json.dumps(RECIPE), encoding="utf-8")
    return folder


def train(folder: Path, **config: object) -> Path:
    (folder / "nodes.yaml").write_text(json.dumps(RECIPE | {"config": CONFIG | config}), encoding="utf-8")
    diffuscope.finish(diffuscope.train(folder / "nodes.yaml", folder / "model", device="cpu", overwrite=True))
    return folder / "model"


@pytest.mark.slow
def test_whoever_tests_changes_no_byte_of_a_model(tmp_path: Path):
    """Scales, ranges, what is usual, weights and the step that is kept, threshold, calibration, figures, card."""
    first, second = (train(cohort(tmp_path / name, wild=name == "wild")) for name in ("tame", "wild"))
    files = sorted(path.name for path in first.iterdir())
    assert files == sorted(path.name for path in second.iterdir()) and len(files) == 3
    assert [name for name in files if (first / name).read_bytes() != (second / name).read_bytes()] == []
    stated = json.loads((first / "config.json").read_text())
    assert 0 < stated["config"]["threshold"] < 1 and "threshold" not in stated["card"]["figures"]
    usual = load_model(first).system.usual
    assert float(usual.high[0]) < 100 and not usual.taken[1, 2]
    assert usual.limits.keys() == {"age", "platelets"} and 90 < usual.limits["age"][1] < 150


@pytest.mark.slow
def test_what_a_recipe_states_stays(tmp_path: Path):
    folder = train(cohort(tmp_path / "data"), threshold=0.25, calibration=[0.8, 0.1])
    stated = json.loads((folder / "config.json").read_text())["config"]
    assert (stated["threshold"], stated["calibration"]) == (0.25, [0.8, 0.1])


def rows(labels: np.ndarray) -> TrainingData:
    return TrainingData(lambda _: {}, [{LABEL: torch.from_numpy(labels.astype(np.float32))}])


def test_both_are_chosen_on_the_rows_that_validate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Scores that are far too sure are calibrated, and the threshold is one of the calibrated score."""
    (made,) = prepare(Recipe.model_validate(RECIPE), cohort(tmp_path / "data"))
    rng = np.random.default_rng(1)
    logit = rng.normal(-0.5, 1.5, 400)
    true = rng.random(400) < 1 / (1 + np.exp(-logit))
    draws = rng.random((400, 2, 100)) < (1 / (1 + np.exp(-2.5 * logit)))[:, None, None]
    monkeypatch.setattr("diffuscope.evaluation.trained.draw_rows", lambda *_, **__: draws.astype(float))
    system = made.start.system
    stated = settle(system, rows(true), device=torch.device("cpu"))
    slope, offset = stated["calibration"]
    assert slope == pytest.approx(0.4, abs=0.08) and abs(offset) < 0.3
    right = 1 / (1 + np.exp(-(slope * evidence(torch.tensor(draws.mean((1, 2))), 200).numpy() + offset)))
    assert stated["threshold"] == pytest.approx(choose_threshold(true, right), abs=1e-4)
    assert system.config.calibration == stated["calibration"]
    given = settle(system, rows(true), device=torch.device("cpu"), given={"threshold": 0.5, "calibration": None})
    assert given == {"threshold": 0.5, "calibration": None}


@pytest.mark.slow
def test_a_calibration_of_before_is_not_calibrated_again(tmp_path: Path):
    (made,) = prepare(Recipe.model_validate(RECIPE), cohort(tmp_path / "data"))
    system, cpu = made.start.system.eval(), torch.device("cpu")
    plain = settle(system, made.data, device=cpu)
    raw = draw_rows(system, made.data.validation[0], device=cpu)
    system.decide(threshold=0.9, calibration=(0.2, 3.0))
    assert settle(system, made.data, device=cpu) == plain
    assert np.array_equal(draw_rows(system, made.data.validation[0], device=cpu), raw)


def test_without_anyone_who_validates_nothing_is_chosen(tmp_path: Path):
    (made,) = prepare(Recipe.model_validate(RECIPE), cohort(tmp_path / "data"))
    assert settle(made.start.system, TrainingData(lambda _: {}, []), device=torch.device("cpu")) == {}
