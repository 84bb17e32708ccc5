"""MMFusion's tables: nobody is in two parts of a fold, and who tests changes nothing that is trained or chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.reproduce.mmfusion import lydata, measure, report, tasks, tcga
from benchmarks.reproduce.mmfusion.baselines import best, matrix
from benchmarks.reproduce.mmfusion.eyes import IMAGES, MAPS, Seeing
from benchmarks.reproduce.mmfusion.networks import draws, train
from benchmarks.reproduce.mmfusion.page import page
from benchmarks.reproduce.mmfusion.rows import BOOSTING, LOGISTIC, REAL, SIMULATED, Row
from benchmarks.reproduce.mmfusion.scoring import figures, setting
from benchmarks.reproduce.mmfusion.study import Fold, Study, folds
from diffuscope.evaluation.scores import score_figures
from diffuscope.systems.mmfusion.config import MMFusionConfig

QUICK = tasks.BUDGETS["quick"]
TABLES = [
    {"name": "one", "key": "one", "columns": [{"name": "a"}, {"name": "b"}]},
    {"name": "other", "key": "other", "columns": [{"name": "c", "categories": ["x", "y"]}]},
]


def study(count: int = 120) -> Study:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(count, 2)).astype(np.float32)
    c = rng.integers(0, 2, (count, 1)).astype(np.float32)
    label = (a[:, 0] + c[:, 0] + rng.normal(size=count) > 0.5).astype(np.int64)
    a[::7, 1] = np.nan
    cases = {"one": torch.from_numpy(a), "other": torch.from_numpy(c)}
    names = tuple(f"P{number}" for number in range(count))
    return Study(name="toy", title="Toy", tables=TABLES, cases=cases, label=label, patients=names, facts={"toy": 1})


def with_other_tests(whole: Study, fold: Fold) -> Study:
    """Return the study with nonsense in place of whoever tests, labels included."""
    cases = {key: values.clone() for key, values in whole.cases.items()}
    for values in cases.values():
        values[torch.from_numpy(fold.test)] = 1 - 50 * values[torch.from_numpy(fold.test)].nan_to_num().abs()
    cases["other"].clamp_(0, 1)
    label = whole.label.copy()
    label[fold.test] = 1 - label[fold.test]
    return replace(whole, cases=cases, label=label)


def test_each_patient_tests_once_and_nobody_is_in_two_parts_of_a_fold():
    label = study(100).label
    every = folds(label, seed=3)
    assert sorted(np.concatenate([fold.test for fold in every])) == list(range(100))
    for fold in every:
        parts = [fold.train, fold.validation, fold.test]
        assert sorted(np.concatenate(parts)) == list(range(100))
        assert all(0.35 < label[part].mean() / label.mean() < 1.65 for part in parts)
    assert not np.array_equal(every[0].test, folds(label, seed=4)[0].test)


def test_who_is_outside_tests_and_does_nothing_else():
    outside = np.arange(120) >= 90
    (fold,) = replace(study(), outside=outside).folds(seed=0)
    assert np.array_equal(fold.test, np.arange(90, 120))
    assert sorted(np.concatenate([fold.train, fold.validation])) == list(range(90))


@pytest.mark.parametrize("kind", [LOGISTIC, BOOSTING])
def test_those_who_test_change_nothing_of_a_rival(kind: str):
    """Neither imputer nor scaler, nor the setting that is chosen: the others' scores stay to the last bit."""
    whole = study()
    fold = whole.folds(seed=0)[0]
    other = with_other_tests(whole, fold)
    found = [best(kind, matrix(one, ["one", "other"]), one.label, fold) for one in (whole, other)]
    kept = np.concatenate([fold.train, fold.validation])
    assert np.array_equal(found[0][kept], found[1][kept])
    assert not np.array_equal(found[0][fold.test], found[1][fold.test])


@pytest.mark.slow
def test_those_who_test_change_nothing_of_a_network_nor_what_is_set_by_validation():
    """Neither its scales and weights, the epoch that is kept among them, nor cut and calibration."""
    whole = study()
    fold = whole.folds(seed=0)[0]
    config = {"tables": TABLES, "width": 8, "members": 2, "guide": "frozen"}
    said, weights = [], []
    for one in (whole, with_other_tests(whole, fold)):
        system = train(one, fold, config, QUICK.tables, seed=1)
        weights.append(system.state_dict())
        held = draws(system, one.some(fold.validation), QUICK.tables).mean(axis=(0, 2))
        said.append(setting(one.label[fold.validation], held, count=40))
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert said[0] == said[1]


def test_draws_at_once_are_those_of_a_run():
    whole = study(30)
    system = train(whole, whole.folds(seed=0)[0], {"tables": TABLES, "width": 8, "members": 2}, QUICK.tables, seed=0)
    together = draws(system, whole.some(np.arange(30)), QUICK.tables)
    alone = draws(system, whole.some(np.array([17])), QUICK.tables)
    assert together.shape == (2, 30, 20)
    assert np.allclose(together[:, 17], alone[:, 0], atol=1e-5)


def test_decisions_are_by_the_cut_of_each_fold_and_probabilities_are_as_they_are():
    label = np.array([0, 0, 1, 1])
    found, cuts = np.array([0.3, 0.6, 0.4, 0.9]), np.array([0.35, 0.65, 0.35, 0.65])
    told = figures(label, found, cuts, found)
    assert told["accuracy"] == 1.0 and told["macro F1"] == 1.0
    assert told["Brier"] == pytest.approx(score_figures(label, found)["Brier"])
    assert score_figures(label, found)["accuracy"] == 0.5


def test_every_cell_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch):
    source = tasks.Source("toy", lambda _: study(), lambda: None, REAL)
    monkeypatch.setattr(tasks, "SOURCES", (source, tasks.Source("none", lambda _: study(), lambda: "no file", REAL)))
    todo, notices = tasks.todo(tasks.BUDGETS["standard"], False)
    assert notices == ["no file"] and len(todo) == len({one.cell.key for one in todo}) == 5 * len(REAL)
    less = replace(todo[2], budget=QUICK)
    assert less.cell.key != todo[2].cell.key


@pytest.mark.slow
def test_a_page_tells_every_row_and_every_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = tuple(row for row in REAL if row.name in ("logistic", "boosting", "mmfusion", "base"))
    source = tasks.Source("hancock", lambda _: study(), lambda: None, rows)
    for module in (tasks, report):
        if hasattr(module, "SOURCES"):
            monkeypatch.setattr(module, "SOURCES", (source,))
    monkeypatch.setattr("benchmarks.reproduce.mmfusion.page.SOURCES", (source,))
    found = [(task, measure.measure(task, tmp_path)) for task in tasks.todo(QUICK, True)[0]]
    assert [len(result["probability"]) for _, result in found] == [120] * 4
    text = page(found, budget=QUICK, kind="quick", notices=[], cells=4)
    assert "HANCOCK" in text and "the figures mean nothing" in text
    for row in rows:
        assert f"| {row.told} |" in text
    assert text.count(" points (") == 3


@pytest.mark.slow
def test_every_row_of_the_simulated_table_can_be_built_and_sees_maps_in_place_of_crops():
    maps = torch.randn(3, 64, 2, 2, 2)
    nodes = torch.randn(3, 3, 64, 2, 2, 2)
    nodes[0] = torch.nan
    for row in SIMULATED:
        if row.kind == "mmfusion" and "backbone" not in row.study:
            images = {"backbone": "resnet10", **IMAGES, **row.config.get("images", {})}
            config = {"tables": TABLES, "width": 8, **row.config, "images": images}
            system = Seeing(MMFusionConfig.model_validate(config))
            batch = {MAPS["tumour"]: maps, MAPS["nodes"]: nodes, "label": torch.tensor([0.0, 1.0, 1.0])}
            batch |= {"one": torch.randn(3, 2), "other": torch.ones(3, 1)}
            assert torch.isfinite(system.loss(batch, torch.Generator().manual_seed(0))["loss"])


def test_lymph_model_learns_from_those_who_train_alone(shared: Path):
    pytest.importorskip("lymph")
    if lydata.missing() is not None:
        pytest.skip("no lyDATA")
    whole = lydata.lydata()
    fold = whole.folds(seed=0)[0]
    found = lydata.lymph_model(fold)
    assert 0.65 < score_figures(whole.label[fold.test], found[fold.test])["AUROC"] < 0.95
    names = [column["name"] for column in whole.tables[0]["columns"]]
    positive = whole.cases["imaging"][:, names.index("ipsi III")] == 1
    assert found[positive.numpy()].mean() > found[~positive.numpy()].mean() + 0.1


def test_tcga_is_told_within_histology_and_head_and_neck_never_tests(shared: Path):
    if tcga.missing() is not None:
        pytest.skip("no TCGA")
    whole = tcga.from_head_and_neck()
    tested = {whole.patients[place] for place in whole.folds(seed=0)[0].test}
    assert all(name.startswith("TCGA") for name in tested) and len(tested) == 542
    assert {"oesophagus, squamous", "oesophagus, adenocarcinoma", "stomach"} == whole.groups.keys()
    names = {column["name"] for table in tcga.oesophagus().tables for column in table["columns"]}
    assert not any(name.startswith(("clinical_", "post_", "outcome_", "label_")) for name in names)
    assert not names & {"country", "source_site"}


def test_a_row_without_an_input_does_not_see_it():
    whole = study()
    hidden = whole.some(np.arange(5), without=("one",))
    assert hidden["one"].isnan().all() and not hidden["other"].isnan().any()
    task = tasks.Task(
        tasks.Source("toy", lambda _: whole, lambda: None, REAL), Row("x", "x", without=("one",)), QUICK, 0
    )
    assert [table["key"] for table in task.config["tables"]] == ["other"]
