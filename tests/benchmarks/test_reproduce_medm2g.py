"""MedM2G's tables: who has what, which parts a row trains, what is held against what, and that the page tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.reproduce.medm2g import (
    ablation,
    agreement,
    cohort,
    controls,
    directions,
    eye,
    figures,
    foundation,
    measure,
    modalities,
    networks,
    page,
    shipped,
    stages,
    tasks,
)
from benchmarks.reproduce.medm2g.directions import CONTRASTS, REPORT
from benchmarks.reproduce.medm2g.figures import Measured, Patients
from benchmarks.reproduce.medm2g.rows import (
    ABLATION,
    ALIGNED,
    CODI,
    ENCODERS,
    JUDGED,
    LETTER,
    ROWS,
    SHIPPED,
    SHIPS,
    SYSTEM,
    WHOLE,
)
from benchmarks.reproduce.medm2g.stages import Steps
from diffuscope import load_model
from diffuscope.simulation.thorax_brain import Finding, Findings
from diffuscope.systems.medm2g.system import MedM2G

QUICK = tasks.BUDGETS["quick"]
ONE = Finding("solid", "left", "upper", "small")
OTHER = Finding("cystic", "left", "lower", "small")


def findings(*items: Finding, region: str = "chest") -> Findings:
    return Findings(region, items)


def test_there_are_eight_rows_of_three_steps_and_all_differ():
    assert len(ABLATION) == 8 and ABLATION[0].name == "ldm" and ABLATION[-1] is WHOLE
    steps = {(row.align, row.context["kind"], row.invariant) for row in ABLATION}
    assert len(steps) == 8 and len({row.name for row in ROWS}) == len(ROWS)
    assert CODI.align and not CODI.invariant and CODI.context == {"kind": "global", "adaptation": 0}


def test_rows_differ_in_what_they_train_and_in_nothing_else():
    steps = QUICK.steps
    rounds = {row.name: list(stages.own(row, steps)) for row in ROWS if row.kind == SYSTEM}
    crossed = {name: [stage for stage in own if stage.objective.startswith("cross")] for name, own in rounds.items()}
    assert {tuple(stage.objective for stage in own) for own in crossed.values()} == {
        ("cross-text-xray", "cross-text-ct", "cross-ct-mri", "cross-mri-mri")
    }
    assert {stage.steps for own in crossed.values() for stage in own} == {steps.cross}
    aligned = {name: [stage for stage in own if stage.objective.startswith("align")] for name, own in rounds.items()}
    assert not aligned["ldm"] and not aligned["lcag"] and len(aligned["medm2g"]) == 3
    # The first pair trains both, later ones the new one alone (§3.2); without CA the text has nothing to be told.
    assert [stage.train for stage in aligned["ca"]] == [("prompt-text", "prompt-xray"), ("prompt-ct",), ("prompt-mri",)]
    assert aligned["vi"][0].train == ("prompt-xray",)
    for row in ROWS:
        for stage in crossed.get(row.name, ()):
            has = [name.split("-")[0] for name in stage.train]
            assert ("context" in has) == (row.context["kind"] != "prompt") and ("prompt" in has) != row.align
            assert ("adaptation" in has) == ("adaptation" not in row.context)
    # A report is drawn onto places wherever it guides, of rows whose guides have places.
    drawn = {name: ["layout" in stage.train for stage in own] for name, own in crossed.items()}
    assert drawn["medm2g"] == drawn["lcag"] == [True, True, False, False]
    assert not any(any(drawn[name]) for name in ("ldm", "ca-vi", "codi", "letter"))
    # A modality that an earlier pair trained stays as it is (§3.5), but where it is made from itself.
    assert not any(name.endswith("-text") for stage in crossed["medm2g"][1:] for name in stage.train)
    assert not any(name.endswith("-ct") for stage in crossed["medm2g"][2:] for name in stage.train)


def test_everything_that_is_compared_on_a_page_is_made_by_both_rows():
    for row in (ABLATION[0], WHOLE):
        assert set(directions.ALL) == set(row.asked)
    for row in (CODI, LETTER):
        assert {one for one, _ in ablation.OTHERWISE} < set(row.asked) < set(directions.ALL)
    assert all({one for one, _ in ablation.JUDGED} == set(JUDGED) <= set(row.asked) for row in ABLATION)
    assert {row.name for row in ROWS} >= {"retrieval", "ldm", "codi", "single", "supervised", "truth"}


def test_every_cell_has_a_key_of_its_own():
    todo, _ = tasks.todo(tasks.BUDGETS["standard"], False)
    assert len(todo) == len({one.cell.key for one in todo}) == 3 * (len(ROWS) - 1) + 1
    # what ships was trained once
    assert [one.seed for one in todo if one.row is SHIPPED] == [0]
    assert tasks.Task(WHOLE, QUICK, 0).cell.key != tasks.Task(WHOLE, tasks.BUDGETS["standard"], 0).cell.key


def test_findings_are_held_against_the_truth_and_against_others_of_the_region():
    truth = [findings(ONE), findings(OTHER), findings(), findings(ONE, region="head")]
    told = figures.found_in(truth, [findings(ONE), findings(), findings(), findings(OTHER)])
    assert told["cases"]["findings"] == [1.0, 0.0, 1.0, 0.0] and told["cases"]["side"] == [1.0, 0.0, 1.0, 1.0]
    # Others of the first one's region have another finding, and none; of the head there is nobody else.
    assert told["cases"]["side, chance"][0] == 0.5 and np.isnan(told["cases"]["findings, chance"][3])
    assert told["cases"]["count"] == [1.0, 0.0, 1.0, 1.0] and told["cases"]["region"] == [1.0, 1.0, 1.0, 0.0]
    assert told["set"] == pytest.approx({"precision": 0.5, "recall": 1 / 3, "f1": 0.4}, abs=1e-4)


def patients(count: int, seed: int = 0) -> Patients:
    """Return patients whose images are bright where the finding is, and whose report names it."""
    rng = np.random.default_rng(seed)
    items = [
        Finding("solid", rng.choice(["left", "right"]), rng.choice(["upper", "lower"]), "small") for _ in range(count)
    ]
    pictures = rng.uniform(0.2, 0.4, (count, 64, 64)).astype(np.float32)
    for picture, item in zip(pictures, items, strict=True):
        y, x = 16 if item.zone == "upper" else 44, 12 if item.side == "left" else 44
        picture[y : y + 8, x : x + 8] = 0.9
    reports = tuple(f"A small solid nodule in the {item.side} {item.zone} zone." for item in items)
    return Patients(dict.fromkeys(directions.IMAGES, pictures), reports, tuple(findings(item) for item in items))


@pytest.fixture(scope="module")
def against() -> Measured:
    train, test = patients(60), patients(30, seed=1)

    def see(_key: str, pictures: figures.Pictures) -> figures.Floats:
        return pictures[:, ::8, ::8].reshape(len(pictures), -1).astype(np.float64)

    class Bright(Measured):
        def read(self, key: str, made: Any) -> list[Findings]:
            return [findings() for _ in made]

    return Bright(test, train, see, lambda _key, pictures: pictures)


def test_the_nearest_training_patient_is_found_by_words_and_by_pictures(against: Measured):
    for one in (directions.REPORTS[0], directions.PICTURES[0]):
        found = controls.retrieved(one, against.train, against.test, against.see)
        if one.made == (REPORT,):
            assert list(found) == list(against.test.reports)
        else:
            places = [np.unravel_index(picture.argmax(), picture.shape) for picture in np.array(found)]
            true = [np.unravel_index(picture.argmax(), picture.shape) for picture in against.test.images["xray"]]
            assert [(y > 32, x > 32) for y, x in places] == [(y > 32, x > 32) for y, x in true]


def test_copies_of_training_images_are_told_as_memorised(against: Measured):
    copied = figures.figures("ct", against.train.images["ct"][:30], against)["set"]
    assert copied["nearest"] == 0 and copied["nearer"] == 1.0 and copied["copies"] == 1.0 and copied["nearer, p"] < 1e-6
    real = figures.figures("ct", against.test.images["ct"], against)
    assert min(real["cases"]["SSIM"]) == 1.0 and real["cases"]["PSNR"][0] == 60.0
    assert real["set"]["FID"] == pytest.approx(0, abs=1e-6) and real["set"]["nearer"] == 0.5


def test_images_agree_where_their_findings_do():
    read = {"ct": [findings(ONE), findings()], "xray": [findings(ONE, OTHER), findings()]}
    truth = Patients({}, ("", ""), (findings(ONE), findings(OTHER)))

    class Told(Measured):
        def read(self, key: str, made: Any) -> list[Findings]:
            return read[key]

    found = agreement.agreed({"ct": np.zeros((2, 1, 1)), "xray": np.zeros((2, 1, 1))}, Told(truth, truth, None, None))  # type: ignore[arg-type]
    assert found["agree"] == pytest.approx([2 / 3, 1.0], abs=1e-4) and found["truth"] == pytest.approx(
        [5 / 6, 0.0], abs=1e-4
    )


def test_sentences_end_with_their_full_stop_and_keep_their_probabilities():
    pieces = [("A cyst", 0.9), (" is seen", 0.8), (".", 1.0), (" No", 0.7), (" more.", 0.6)]
    assert [len(one) for one in agreement.sentences(pieces)] == [3, 2]


def test_a_probe_tells_modalities_that_are_apart_and_not_those_that_are_one(tmp_path: Path):
    rng = np.random.default_rng(0)
    truth = (rng.random((40, 3)) < 0.5).astype(np.float32)
    points = rng.normal(size=(3, 40, 6))
    same = modalities.apart(dict(zip(("ct", "mri", "xray"), points, strict=True)), truth)
    far = {name: one + 20 * place for place, (name, one) in enumerate(zip(("ct", "mri", "xray"), points, strict=True))}
    told = modalities.apart(far, truth)
    assert told["probe"] == 1.0 and told["mixed"] == 0.0 and same["probe"] < 0.6 and same["mixed"] > 0.8
    modalities.draw([("one", told), ("other", same)], tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 1000


def test_labels_say_which_attributes_there_are():
    found = dict(zip(eye.label_names(), eye.labels([findings(ONE, OTHER)])[0], strict=True))
    assert [name for name, value in found.items() if value] == [
        "kind solid", "kind cystic", "side left", "zone upper", "zone lower", "size small", "any",
    ]  # fmt: skip


def result(row: Any, seed: int) -> Mapping[str, Any]:
    """Return what a cell might find: the better the more steps it has, with noise."""
    rng = np.random.default_rng(seed)
    count = 24
    gain = 0.2 * (row.align + (row.context == WHOLE.context) + row.invariant)

    def cases(*names: str, middle: float = 0.2) -> dict[str, list[float]]:
        return {name: list(middle + gain + 0.05 * rng.normal(size=count)) for name in names}

    every = {}
    attributes = ("findings", *figures.ATTRIBUTES)
    names = (*attributes, *(f"{name}, chance" for name in attributes), "count", "region")
    alike = ("FID", "KID", "MS-SSIM", "NIQE", "nearest", "nearest, held out", "nearer", "nearer, p", "copies")
    texts = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "precision", "recall", "f1")
    for one in row.asked:
        own = {"cases": cases(*names, "PSNR", "SSIM", "ROUGE-L"), "set": dict.fromkeys((*alike, *texts), 0.5)}
        own["set"].pop("ROUGE-L")
        every[one.name] = dict.fromkeys(one.made, own)
    probe = {"probe": 0.9, "mixed": 0.1, "davies_bouldin": 1.0, "findings": 0.7, "own report": 0.5}
    probe |= {"places": rng.normal(size=(9, 2)).tolist(), "of": ["ct", "mri", "xray"] * 3}
    together = {one.name: cases("agree", "place", "truth") for one in directions.JOINT}
    training = {"own": 60.0, "steps": 10, "base": 100.0, "base_steps": 20, "an_epoch": 5.0}
    sure = {directions.REPORTS[0].name: {"sentences": 5, "right": 0.5, "confidence": 0.6, "ECE": 0.1, "Brier": 0.2}}
    found = {"directions": every, "seconds": 90.0, "parameters": 2_000_000}
    if row.kind in (SYSTEM, ALIGNED, SHIPS):
        found["probe"] = probe
    if row.kind == SYSTEM:
        found |= {"training": training, "added": 100_000}
    if row.kind in (SYSTEM, SHIPS):
        found |= {"joint": together, "apart": together}
        found |= {"confidence": sure, "downstream": {"generated": {"AUROC": 0.8, "right": [0.9] * 12 + [0.8] * 12}}}
    if row.name == "truth":
        found["directions"] = {
            f"{key}>{key}": {key: {"cases": cases(*names), "set": {}}} for key in (REPORT, *directions.IMAGES)
        }
        found["downstream"] = {name: {"AUROC": 0.7, "right": [0.8] * 12 + [0.7] * 12} for name in ("few", "real")}
    return found


def test_a_page_tells_every_row_and_each_step_s_effect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("benchmarks.reproduce.medm2g.claims.RUNS", tmp_path)
    todo, notices = tasks.todo(tasks.BUDGETS["standard"], False)
    found = [(task, result(task.row, task.seed)) for task in todo if task.row.name != "single"]
    text = page.page(found, budget=QUICK, kind="quick", notices=notices, cells=len(todo))
    assert "the figures mean nothing" in text and (tmp_path / "reproduce/medm2g/medm2g-modalities.png").exists()
    for row in ABLATION:
        assert f"| {row.told} | 3 |" in text
    # Each step is worth 0.2 of whatever it is judged by.
    effects = [line for line in text.splitlines() if "(4 of 4 pairs)" in line]
    assert len(effects) == 3 * len(ablation.JUDGED)
    assert all(float(line.split("|")[4].split()[0]) == pytest.approx(0.2, abs=0.02) for line in effects)
    assert "- single-flow LDM: one task, nothing else: 0 of 1 seeds." in text
    for heading in (
        "Table 7",
        "Table 9",
        "Table 1",
        "Tables 3 to 5",
        "Tables 2 and 6",
        "Table 8",
        "Fig. 7",
        "Memorisation",
    ):
        assert heading in text


def test_a_third_stands_between_what_is_given_and_what_is_made():
    direct, by_ct = directions.BRIDGED[:2]
    assert (direct.name, by_ct.name) == ("xray>t2", "xray>ct>t2") and by_ct.told == "X-ray → CT → T2"
    assert directions.JOINT[0].name == ">ct+t2" and directions.JOINT[0].told == "nothing → CT + T2"


@pytest.mark.slow
def test_a_bridge_forgets_what_mri_hears_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    own = shipped.system()
    before = {name: one.clone() for name, one in own.state_dict().items()}
    trained: dict[str, Any] = {}

    def train(system: Any, _cases: Any, rounds: Any, **_: Any) -> None:
        trained["parts"] = [stage.train for stage in rounds]
        trained["changed"] = {name for name, one in system.state_dict().items() if not torch.equal(one, before[name])}

    monkeypatch.setattr(measure, "train", train)
    monkeypatch.setattr(measure, "_with_text", lambda *_: own)
    row = next(row for row in ROWS if row.name == "bridge")
    task = tasks.Task(replace(row, asked=()), replace(QUICK, ships=True), 0)
    against = Measured(patients(4), patients(8), lambda _key, pictures: pictures, cohort.denormalised)
    measure._bridged(task, against, tmp_path)
    heard = {
        name
        for name, one in own.named_parameters()
        if any(one is each for part in own.parts()["cross-mri"] for each in part.parameters())
    }
    assert trained["parts"] == [("cross-mri",)]
    assert trained["changed"] and trained["changed"] <= heard


@pytest.mark.slow
def test_rows_begin_with_what_ships_and_hear_nothing_yet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipped, "system", cache(shipped.system))  # only read, by each row
    own = shipped.system().state_dict()
    budget = replace(QUICK, ships=True)
    for row in (WHOLE, ABLATION[0], CODI, LETTER):
        task = tasks.Task(row, budget, 1)
        begun = foundation.Foundation(task, patients(4))
        system = begun.system(context=row.context, places=row.places)
        sizes = cohort.configuration(shipped.stated(), context=row.context, places=row.places)
        built = networks.built(sizes, seed=1).state_dict()
        kept, fresh = set(), set()
        for name, one in system.state_dict().items():
            if name in own and torch.equal(one, own[name]):
                kept.add(name)
            else:
                assert torch.equal(one, built[name]), name
                fresh.add(name)
        hears = {name for name in built if "transformer_blocks" in name and (".attn2." in name or ".norm2." in name)}
        assert hears and hears <= fresh and not any(".autoencoder." in name for name in fresh)
        assert {name for name in kept if ".conv_in." in name or ".attn1." in name}
        assert not any(".prompt." in name and name.endswith("weight") and one.ndim > 1 for name in kept)
    assert task.cell.key != tasks.Task(row, QUICK, 1).cell.key


@pytest.mark.slow
def test_a_quick_run_measures_every_kind_of_row_and_round_0_is_shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    steps = Steps(encode=1, write=1, generate=1, align=1, cross=1, batch=4, pair=4)
    less = replace(QUICK, patients=16, tests=8, others=8, steps=steps, sampling=1, reading=1, few=4, generated=4)
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(foundation, "ROOT", tmp_path)
    monkeypatch.setattr("benchmarks.reproduce.medm2g.claims.RUNS", tmp_path)
    monkeypatch.setattr(figures, "_PAIRS", 10)
    monkeypatch.setattr(measure, "_MANY", 1)  # so few that no features of all together are measured
    pair, one = directions.SYNTHESIS[4], directions.REPORTS[0]
    wanted = {
        "truth": (),
        "retrieval": (one,),
        "medm2g": (one, pair),
        "single": (one,),
        "supervised": (one, pair, directions.PICTURES[0]),
        "bridge": directions.BRIDGED[2:],
        ENCODERS[-1].name: (),
    }
    found = []
    for row in ROWS:
        if row.name in wanted:
            task = tasks.Task(replace(row, asked=wanted[row.name]), less, 0)
            found.append((task, task.cell.compute(tmp_path, partial(measure.measure, task))))
    assert len(list(tmp_path.glob("round0-*/result.json"))) == 1
    results = {task.row.name: result for task, result in found}
    whole = results["medm2g"]["directions"]
    assert len(whole[pair.name]["pd"]["cases"]["PSNR"]) == less.tests and whole[one.name][REPORT]["set"]["BLEU-1"] >= 0
    assert set(results["medm2g"]["joint"]) == {each.name for each in directions.JOINT}
    assert results[ENCODERS[-1].name]["probe"].keys() == results["medm2g"]["probe"].keys()
    assert set(results["bridge"]["directions"]) == {"report>t2", "report>ct>t2"}
    # Round 0 is not trained again, and what it trained is not touched by a row's own rounds.
    assert not list(tmp_path.glob("round0-*/encode-*")) and results["medm2g"]["training"]["base"] > 0
    text = page.page(found, budget=less, kind="quick", notices=[], cells=len(ROWS))
    assert "MedM2G: all three" in text and "supervised: one network a task" in text


def test_what_ships_is_asked_as_it_ships():
    own, ships = shipped.system(), load_model(SHIPPED.name).system
    assert isinstance(ships, MedM2G)
    cases = networks.prepared(ships, cohort.simulated(2, seed=3))
    for key in (REPORT, "t2"):
        flow = ships.guide.flow(cohort.modality(key))
        kind = torch.full((2,), list(flow.keys).index(key))
        seen = torch.nn.functional.normalize(flow.see(cases[key], kind)[0].double(), dim=1)
        np.testing.assert_allclose(networks.aligned(own, cases, key), seen.detach().numpy(), atol=1e-6)


def test_a_page_of_one_cell_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("benchmarks.reproduce.medm2g.claims.RUNS", tmp_path)
    task = tasks.Task(ROWS[1], QUICK, 0)
    text = page.page([(task, result(task.row, 0))], budget=QUICK, kind="quick", notices=[], cells=len(ROWS))
    assert "from 1 of" in text and "No two rows that are compared are complete." in text
    assert "fewer than its eight rows" in text and CONTRASTS[0] not in text.split("## What is missing")[0][:200]
