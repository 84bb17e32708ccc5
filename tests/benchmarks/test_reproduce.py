"""The papers' tables: cells are keyed and resumed, studies keep test and training apart, the page adds up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from scipy import stats

from benchmarks.quality.error_parts import parts
from benchmarks.reproduce.claims import Claim, Line, claims
from benchmarks.reproduce.fill import fill
from benchmarks.reproduce.staindiffuser import tasks as table
from benchmarks.reproduce.staindiffuser.measure import measure
from benchmarks.reproduce.staindiffuser.page import page
from benchmarks.reproduce.staindiffuser.report import lines
from benchmarks.reproduce.staindiffuser.restained import TEST_SLIDES, Restained
from benchmarks.reproduce.staindiffuser.strips import Strips, copied_strips, read_strip, usable_strips
from benchmarks.shared import cells
from benchmarks.shared.cells import Cell, Training
from diffuscope.model.folder import load_model
from diffuscope.training.recipe import Optimisation

WORDS = dict.fromkeys(("title", "what_it_is", "what_it_is_not", "data", "licence", "trained_on"), "x")
CARD = WORDS | {"simulated": True}
PLAN = Optimisation(steps=8, batch=2, learning_rate=1e-3, warmup=2, seed=3)
TRAINING = Training("pix2pix", {"stain": "CD3", "size": "tiny", "patch": 32}, PLAN)


def batch(step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {key: 255 * torch.rand(2, 3, 32, 32, generator=generator) for key in ("he", "ihc")}


def test_a_key_does_not_depend_on_the_order_of_the_facts():
    assert Cell("a", {"x": 1, "y": {"p": 2, "q": 3}}).key == Cell("a", {"y": {"q": 3, "p": 2}, "x": 1}).key


@pytest.mark.parametrize(
    "change",
    [
        lambda t: replace(t, seed=1),
        lambda t: replace(t, budget=replace(t.budget, steps=5)),
        lambda t: replace(t, budget=replace(t.budget, batch=3)),
        lambda t: replace(t, budget=replace(t.budget, patch=40)),
        lambda t: replace(t, budget=replace(t.budget, size="small")),
        lambda t: replace(t, row=replace(t.row, config={"lambda_seg": 2.0})),
        lambda t: replace(t, row=replace(t.row, system="bbdm", config={})),
        lambda t: replace(t, study=Restained(("CD3",), quick=True)),
        lambda t: replace(t, study=Restained(("CK8/18",), quick=False)),
    ],
)
def test_a_key_changes_with_whatever_matters(change: Callable[[table.Task], table.Task]):
    task = table.Task(Restained(("CK8/18",), quick=True), table.ROWS[0], table.BUDGETS["quick"])
    assert change(task).cell.key != task.cell.key
    assert replace(task).cell.key == task.cell.key


def test_a_key_changes_with_the_protocol_and_with_a_file_s_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    key = Cell("a", {}).key
    monkeypatch.setattr(cells, "PROTOCOL", cells.PROTOCOL + 1)
    assert Cell("a", {}).key != key
    facts = []
    for name, shade in (("one", 10), ("other", 11)):
        (tmp_path / name).mkdir()
        strip(tmp_path / name / "A.png", shade)
        strip(tmp_path / name / "B.png", 60)
        facts.append(Strips("B", folder=tmp_path / name).facts())
    assert facts[0] != facts[1]


def test_a_cell_is_computed_once_and_a_failed_one_again(tmp_path: Path):
    cell, calls = Cell("a", {"x": 1}), []

    def work(folder: Path) -> dict[str, int]:
        calls.append(folder)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return {"found": 7}

    with pytest.raises(KeyboardInterrupt):
        cell.compute(tmp_path, work)
    assert cell.found(tmp_path) is None
    assert cell.compute(tmp_path, work) == cell.compute(tmp_path, work) == cell.found(tmp_path) == {"found": 7}
    assert len(calls) == 2
    # what is only half written is no result
    (tmp_path / cell.key / "result.json").rename(tmp_path / cell.key / "result.json.partial")
    assert cell.found(tmp_path) is None


def test_two_processes_share_the_cells_of_a_table(tmp_path: Path):
    tasks = [SimpleNamespace(cell=Cell(name, {}), value=i) for i, name in enumerate("abc")]
    mine, written = [], []

    def measure(task: SimpleNamespace, folder: Path) -> dict[str, int]:
        if task.value == 1:
            # the other process finishes the first cell while this one computes the second
            (tmp_path / tasks[0].cell.key / "result.json").write_text('{"found": -1}')
            other.release()
        mine.append(task.value)
        return {"found": task.value}

    (tmp_path / tasks[0].cell.key).mkdir()
    other = FileLock(tmp_path / tasks[0].cell.key / "lock")
    other.acquire()
    fill(tasks, measure, root=tmp_path, write=lambda complete: written.append([f["found"] for _, f in complete]))
    assert mine == [1, 2]
    assert written[-1] == [-1, 1, 2]


def test_a_training_that_was_killed_ends_as_one_that_was_not(tmp_path: Path):
    def killed(step: int) -> dict[str, torch.Tensor]:
        if step == 5:
            raise RuntimeError("killed")
        return batch(step)

    seen: list[int] = []
    whole = load_model(TRAINING.run(tmp_path / "whole", batch, CARD)).system
    with pytest.raises(RuntimeError, match="killed"):
        TRAINING.run(tmp_path / "cut", killed, CARD)
    assert not (tmp_path / "cut" / "model").exists()
    again = load_model(TRAINING.run(tmp_path / "cut", lambda step: seen.append(step) or batch(step), CARD)).system
    # every second step is kept, so that it goes on from 4 or 2
    assert min(seen) in {2, 4} and set(range(4, 8)) <= set(seen)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert {path.name for path in (tmp_path / "cut").iterdir()} == {"model", "seconds.json"}
    TRAINING.run(tmp_path / "cut", killed, CARD)
    assert cells.training_seconds(tmp_path / "cut") > 0


def strip(path: Path, shade: int, *, copied: bool = False) -> None:
    """Six tiles of one grey each; the segmentation has a red square of positive cells."""
    tiles = np.zeros((512, 6, 512, 3), np.uint8)
    for i in range(6):
        tiles[:, i] = shade if copied else shade + 20 * i
    if not copied:
        tiles[:, 5] = (0, 0, 255)
        tiles[100:200, 5, 300:400] = (255, 0, 0)
    Image.fromarray(tiles.reshape(512, 3072, 3)).save(path)


@pytest.fixture
def strips(tmp_path: Path) -> Path:
    for name, shade in (("A", 10), ("B", 100)):
        strip(tmp_path / f"{name}.png", shade)
    strip(tmp_path / "C.png", 50, copied=True)
    return tmp_path


def test_a_strip_gives_haematoxylin_ihc_and_positive_cells(strips: Path):
    he, ihc, mask = read_strip(strips / "A.png")
    assert he.shape == ihc.shape == (256, 256, 3)
    assert (he == 30).all() and (ihc == 10).all()
    expected = np.zeros((256, 256), bool)
    expected[50:100, 150:200] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_strip_that_is_its_own_answer_is_left_out(strips: Path):
    assert usable_strips(strips) == ["A", "B"] and copied_strips(strips) == ["C"]
    assert "C" not in Strips("A", folder=strips).facts()["files"]


def test_the_held_strip_is_never_trained_on(strips: Path):
    study = Strips("A", folder=strips)
    draw = study.batches(seed=0, batch=4, patch=32)
    for step in range(10):
        assert (draw(step)["ihc"] == 100).all()
    (tiles,) = study.tests("IHC")
    assert (tiles.ihc == 10).all() and (tiles.he == 30).all()
    assert set(study.methods("IHC", tiles)) == {"identity", "colour-transfer"}


def test_strip_batches_are_registered_and_functions_of_seed_and_step(strips: Path):
    draw = Strips("A", folder=strips).batches(seed=0, batch=2, patch=32)
    one, again, later = draw(3), draw(3), draw(4)
    other = Strips("A", folder=strips).batches(seed=1, batch=2, patch=32)(3)
    assert {key: tuple(value.shape) for key, value in one.items()} == {
        "he": (2, 3, 32, 32), "ihc": (2, 3, 32, 32), "mask": (2, 1, 32, 32),
    }  # fmt: skip
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["he"], later["he"]) and not torch.equal(one["he"], other["he"])


def test_crops_of_a_strip_stay_together(strips: Path):
    """The IHC is made white where the mask is: they agree after turns and flips."""
    with Image.open(strips / "B.png") as picture:
        pixels = np.asarray(picture).copy()
    pixels[100:200, 300:400] = 255
    Image.fromarray(pixels).save(strips / "B.png")
    draw = Strips("A", folder=strips).batches(seed=0, batch=4, patch=64)
    seen = 0
    for step in range(12):
        found = draw(step)
        assert torch.equal(found["ihc"][:, :1] == 255, found["mask"] > 0)
        seen += int(found["mask"].sum())
    assert seen > 1000


def test_test_slides_are_not_trained_on():
    sources = {source["file"] for source in Restained(("CD3",)).facts()["sources"]}
    assert sources and not sources & {source.file for source in TEST_SLIDES}


def test_several_stains_take_turns_and_each_is_its_own_study_s():
    both = Restained(("CD3", "CK8/18"), quick=True).batches(seed=2, batch=2, patch=32)
    alone = Restained(("CK8/18",), quick=True).batches(seed=2, batch=2, patch=32)
    assert set(both(0)) == {"he", "ihc_cd3", "mask"}
    assert set(both(3)) == {"he", "ihc_ck818", "mask"}
    assert torch.equal(both(3)["ihc_ck818"], alone(1)["ihc"])


def test_rows_that_a_claim_compares_have_three_seeds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table, "usable_strips", lambda: ["A", "B"])
    seeds: dict[tuple[str, str], set[int]] = {}
    for task in table.tasks(quick=False, budget=table.BUDGETS["standard"]):
        for stain in task.study.stains if task.row else ():
            seeds.setdefault((task.row.name, stain), set()).add(task.seed)
    for claim in table.CLAIMS:
        assert seeds[claim.first, claim.table] == seeds[claim.second, claim.table] == {0, 1, 2}
    assert seeds["unet-regression", "CD3"] == seeds["multi-task", "IHC"] == {0}


def test_every_row_has_the_same_number_of_steps_a_stain():
    for task in table.tasks(quick=True, budget=table.BUDGETS["standard"]):
        if task.row is not None and task.study.name.startswith("restained"):
            assert task.training.optimisation.steps == 1000 * len(task.study.stains)


def test_a_row_that_this_version_cannot_train_is_refused_in_one_sentence():
    study, budget = Restained(("CD3",), quick=True), table.BUDGETS["quick"]
    assert table.Task(study, table.ROWS[0], budget).missing() is None
    for row in (table.Row("x", "", "cyclegan"), table.Row("x", "", "staindiffuser", {"dept": 3})):
        told = table.Task(study, row, budget).missing()
        assert told.startswith("The row 'x'") and "\n" not in told


def slides(*values: float) -> dict[str, dict]:
    """Return a slide a value, with two tiles a decibel apart around it."""
    return {
        f"slide {i}": {
            "scores": dict.fromkeys(("psnr_db", "ssim", "psnr_db_near", "dab_od_error", "dice"), value)
            | {"area_error_percent": 50.0},
            "tiles": {"psnr_db": [value - 0.5, value + 0.5], "ssim": [0.5, 0.5]},
        }
        for i, value in enumerate(values)
    }


def test_claims_are_told_with_difference_interval_and_p():
    first = Line("a", [slides(20.0, 22.0), slides(21.0, 23.0)], "", 1)
    second = Line("b", [slides(19.5, 22.5)], "", 1)
    stated = [Claim("CD3", "a", "b", "+1 dB"), Claim("CD3", "a", "c", "not there")]
    *_, row = claims({"CD3": {"a": first, "b": second}}, stated, heading="stain", units=("slide", "tile")).splitlines()
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    # means over slides: (21 + 22) / 2 − 21; tiles: 20.5 ± .5 and 22.5 ± .5 against 19.5 ± .5 and 22.5 ± .5
    assert cells[:5] == ["CD3", "a", "b", "+1 dB", "+0.50 dB"]
    assert cells[5].startswith("+0.50 (")
    expected = stats.permutation_test(
        (np.array([1.0, 1.0, 0.0, 0.0]),), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert float(cells[6]) == pytest.approx(expected, abs=0.01)
    # seed 0: ahead on the first slide (20 > 19.5), behind on the second (22 < 22.5)
    assert cells[7] == "1 of 2"


def result(task: table.Task, *values: float) -> tuple[table.Task, dict]:
    name = task.row.name if task.row else "identity"
    found = {stain: {name: slides(*values)} for stain in task.study.stains}
    return task, {"stains": found, "seconds": 60.0, "parameters": 1_000_000}


def test_a_seed_counts_once_all_its_folds_are_complete():
    budget, row = table.BUDGETS["quick"], table.ROWS[0]
    tasks = [table.Task(Strips(held, folder=Path("none")), row, budget, seed) for seed in (0, 1) for held in "AB"]
    found = []
    for task in tasks[:3]:
        _, told = result(task, 20.0 + task.seed)
        told["stains"]["IHC"][row.name] = {task.study.held: told["stains"]["IHC"][row.name]["slide 0"]}
        found.append((task, told))
    line = lines(found, "IHC")[row.name]
    assert len(line.seeds) == 1 and line.folds == 2 and line.values("psnr_db") == [20.0]
    told = page(found, budget=budget, kind="quick", notices=["a reason"], cells=4)
    assert "from 3 of 4 cells" in told and "figures mean nothing" in told and "- a reason" in told
    assert "| 2 | 1 | 20.00 |" in told
    assert "Restained slides" not in told


@pytest.mark.slow
def test_a_cell_end_to_end(tmp_path: Path):
    """Trained, sampled and scored on both test slides; the second time it is read."""
    task = table.Task(Restained(("CD3",), quick=True), table.ROWS[-1], table.BUDGETS["quick"])
    found = task.cell.compute(tmp_path, lambda folder: measure(task, folder))
    scores = found["stains"]["CD3"]["bbdm"]
    assert set(scores) == {"CMU-1-Small-Region", "OS-1-detail"}
    for slide in scores.values():
        assert slide["scores"]["psnr_db"] == pytest.approx(slide["tiles"]["psnr_db"][0])
        assert 0 < slide["scores"]["psnr_db"] < 40
    assert json.loads(json.dumps(found)) == task.cell.compute(tmp_path, lambda _: pytest.fail("computed again"))


def test_the_parts_of_an_error_are_what_was_put_in():
    rng = np.random.default_rng(0)
    truth = rng.integers(60, 200, (6, 128, 128, 3)).astype(np.uint8)
    cast, place = rng.normal(0, 5, (6, 1, 1, 3)), rng.normal(0, 4, truth.shape)
    samples = truth + cast + place + rng.normal(0, 8, (4, *truth.shape))
    found = parts(samples, truth)
    squares = {"spread": 64.0, "cast": float((cast**2).mean()), "rest": 16.0}
    for name, value in squares.items():
        assert found[name] == pytest.approx(value / sum(squares.values()), abs=0.01)
    assert found["psnr_one"] == pytest.approx(10 * np.log10(255**2 / sum(squares.values())), abs=0.05)
    assert found["psnr_mean"] > found["psnr_one"] + 1
    assert parts(samples[:1], truth)["spread"] == 0
