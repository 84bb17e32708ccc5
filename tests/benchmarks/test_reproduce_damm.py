"""DAMM-Diffusion's table: folds keep animals apart, every row can be trained, and the page adds up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.reproduce.damm import measure as damm_measure
from benchmarks.reproduce.damm import tasks as damm
from benchmarks.reproduce.damm import tumours
from benchmarks.reproduce.damm.measure import measure, sampled
from benchmarks.reproduce.damm.page import lines, page
from benchmarks.reproduce.damm.sections import separation
from benchmarks.reproduce.damm.tumours import EXTERNAL, INTERNAL, KEYS, Cohort, Fold
from diffuscope import load_model
from diffuscope.simulation.tumour import BREAST, draw_animal, simulate_field
from diffuscope.systems.registry import build_system, configure

SMALL = Cohort(animals=2, folds=2, external=1, fields=2, tested=2, size=64, phantom="even")
BUDGET = replace(damm.BUDGETS["quick"], cohort=SMALL)


def task(row: str, *, fold: int = 0) -> damm.Task:
    return damm.Task(Fold(fold, SMALL), damm.ROW[row], BUDGET)


def test_the_held_animals_test_and_are_never_trained_on(monkeypatch: pytest.MonkeyPatch):
    shade = {("breast", 0): 10, ("breast", 1): 20, ("melanoma", 0): 90, ("breast", 2): 30}

    def animal(model, number, size, fields):
        images = np.full((fields, 3, size // 2, size // 2), shade[model.name, number], np.float32)
        return tumours.Animal(f"{model.name}-{number}", images, ("concordant",) * fields)

    monkeypatch.setattr(tumours, "_animal", animal)
    fold = Fold(1, replace(SMALL, animals=3))
    assert fold.held == (1,)
    batches = fold.batches(seed=0, batch=8, patch=16)
    seen = {float(value) for step in range(8) for value in batches(step)["nuclei"].unique()}
    assert seen == {10.0, 30.0}
    tests = fold.tests()
    assert [one.name for one in tests[INTERNAL]] == ["breast-1"] and tests[INTERNAL][0].images.max() == 20
    assert [one.name for one in tests[EXTERNAL]] == ["melanoma-0"]


def test_every_animal_is_held_out_once():
    whole = Cohort()
    held = [number for fold in range(whole.folds) for number in Fold(fold, whole).held]
    assert sorted(held) == list(range(whole.animals))


def test_fields_are_the_simulator_s_at_half_the_resolution():
    found = Fold(0, SMALL).tests()[INTERNAL][0]
    kind = found.kinds[1]
    field = simulate_field(draw_animal(BREAST, seed=0, number=0), 1, size=64, kind=kind)
    expected = field.nanoparticles.astype(float).reshape(32, 2, 32, 2).mean((1, 3))
    np.testing.assert_allclose(found.images[1, 2], expected, rtol=1e-6)


def test_crops_stay_together_and_are_functions_of_seed_and_step():
    batches = Fold(0, SMALL).batches(seed=0, batch=2, patch=16)
    first, again, later = batches(3), batches(3), batches(4)
    assert all(torch.equal(first[key], again[key]) and first[key].shape == (2, 1, 16, 16) for key in KEYS)
    assert not torch.equal(first["vessels"], later["vessels"])
    # the other fold trains on animal 0: each crop is a window of one field in one of eight ways
    (animal,) = Fold(0, SMALL).tests()[INTERNAL]
    crops = torch.cat([Fold(1, SMALL).batches(seed=0, batch=2, patch=16)(0)[key] for key in KEYS], dim=1).numpy()
    turned = [np.rot90(animal.images, k, (2, 3)) for k in range(4)]
    ways = np.concatenate([one[:, :, ::-1] if flip else one for one in turned for flip in (False, True)])
    windows = np.lib.stride_tricks.sliding_window_view(ways, (16, 16), axis=(2, 3))
    for crop in crops:
        assert (windows == crop[None, :, None, None]).all(axis=(1, 4, 5)).any()


def test_every_row_can_be_built_and_has_a_key_of_its_own():
    cells = [task(name) for name in damm.ROW]
    assert len({one.cell.key for one in cells}) == len(damm.ROW)
    for one in cells:
        build_system(one.training.system, one.training.config)
    whole = task(damm.DAMMP)
    changed = (
        task(damm.DAMMP, fold=1),
        replace(whole, budget=replace(BUDGET, steps=5)),
        replace(whole, budget=replace(BUDGET, samples=3)),
        replace(whole, fold=Fold(0, replace(SMALL, fields=3))),
        replace(whole, fold=Fold(0, replace(SMALL, phantom="endosomal"))),
        replace(whole, row=replace(whole.row, config={"alpha": 0.2})),
    )
    assert len({one.cell.key for one in (whole, *changed)}) == 7
    seen = task("ldm")
    assert replace(seen, row=replace(seen.row, inputs=KEYS[:1])).cell.key != seen.cell.key


def test_ablations_switch_off_one_part_after_the_other():
    configs = {row.name: configure("damm", task(row.name).training.config) for row in damm.ROWS[:10]}
    parts = {
        name: (c.variant.mmfm, c.variant.attention, c.variant.dammp, c.lambda_dfl > 0) for name, c in configs.items()
    }
    assert parts == {
        damm.BASELINE: (False, "none", False, False),
        damm.MMFM: (True, "none", False, False),
        damm.UAFM: (False, "uncertain", False, False),
        damm.BOTH: (True, "uncertain", False, False),
        damm.DAMMP: (True, "uncertain", True, True),
        damm.PLAIN: (True, "plain", False, False),
        damm.NO_DFL: (True, "uncertain", True, False),
        damm.NUCLEI: (True, "uncertain", True, True),
        damm.ROUNDS: (True, "uncertain", True, True),
        damm.AGREED: (True, "uncertain", True, True),
    }
    assert [name for name, c in configs.items() if c.main.key == "nuclei"] == [damm.NUCLEI]
    assert [name for name, c in configs.items() if c.variant.agreement] == [damm.AGREED]


def test_every_fold_has_every_row_and_a_seed_of_its_own():
    todo = damm.tasks(damm.BUDGETS["standard"])
    whole = [one for one in todo if not one.row.first_fold]
    assert [(one.seed, one.row.name) for one in whole] == [(fold, row.name) for fold in range(3) for row in damm.ROWS]
    assert [(one.seed, one.row) for one in todo if one.row.first_fold] == [(0, row) for row in damm.SWEEPS]
    assert all(one.seed == one.fold.number == one.training.optimisation.seed for one in todo)
    beside = {
        damm.UNIMODAL,
        *(
            damm.at_gamma(row, g)
            for row in (damm.DAMMP, damm.NO_DFL, damm.ROUNDS, damm.AGREED)
            for g in (0, 0.3, 0.7, 1)
        ),
    }
    assert {name for claim in damm.CLAIMS for name in (claim.first, claim.second)} <= damm.ROW.keys() | beside


def test_two_rounds_are_together_as_long_as_one_and_a_crop_is_evaluated_for_each_draw():
    for name in damm.ROW:
        one = task(name)
        rounds = [one.training, *([one.begun.training] if one.begun is not None else [])]
        assert sum(each.optimisation.steps for each in rounds) == BUDGET.steps
        for each in rounds:
            draws = each.config["draws"] if one.row.is_damm else 1
            assert each.optimisation.batch * draws == BUDGET.batch
    first = task(damm.ROUNDS).begun
    assert first == task(damm.AGREED).begun and first.begun is None
    assert first.training.config == {**task(damm.DAMMP).training.config, "warmup": first.training.config["warmup"]}
    assert first.cell.key != replace(task(damm.DAMMP), budget=first.budget).cell.key


@pytest.mark.slow
def test_a_row_that_goes_on_from_another_keeps_its_branches_to_the_bit(tmp_path: Path):
    agreed = task(damm.AGREED, fold=1)
    begun = agreed.begun
    longer = replace(agreed, budget=replace(BUDGET, samples=3))
    assert agreed.cell.facts["begun"] == begun.cell.key != longer.cell.facts["begun"]
    agreed.cell.compute(tmp_path, lambda folder: measure(agreed, folder))
    assert begun.cell.found(tmp_path) is not None
    before, after = (load_model(tmp_path / one.cell.key / "model").system.state_dict() for one in (begun, agreed))
    moved = {key for key, value in before.items() if not torch.equal(value, after[key])}
    assert moved == {
        f"network.attention.{key}" for key in ("uncertainty.weight", "source_norm.weight", "source_norm.bias")
    }
    assert all(key.startswith("network.agreement.") for key in after.keys() - before.keys())


def test_a_baseline_sees_its_inputs_alone_and_its_picture_becomes_counts():
    images = {key: torch.rand(2, 1, 8, 8) * 180 for key in KEYS}
    both, alone = (damm.as_picture(images, keys) for keys in (KEYS[:2], KEYS[:1]))
    assert torch.equal(both["he"][:, :2], torch.cat([images["vessels"], images["nuclei"]], dim=1))
    assert torch.equal(alone["he"][:, :1], images["vessels"]) and not alone["he"][:, 1:].any()
    torch.testing.assert_close(damm.as_counts(both["ihc"]), images["nanoparticles"])
    assert damm.as_picture({"vessels": images["vessels"]}, KEYS[:1]).keys() == {"he"}


def test_tiles_are_put_back_where_they_were(monkeypatch: pytest.MonkeyPatch):
    """Of a system that answers with its vessels, and with each tile's mean as d."""
    wanted = task(damm.DAMMP)
    images = np.random.default_rng(0).random((6, 3, 96, 64)).astype(np.float32)
    seen: list[tuple[int, int]] = []

    def answer(_task, _system, tiles, places, _settings, *, unimodal):
        seen.extend(places)
        mean = tiles[:, 0].mean(axis=(1, 2))[:, None]
        return {KEYS[2]: tiles[:, 0]}, {"divergence": mean, "multimodal": mean}

    monkeypatch.setattr(damm_measure, "_tiles", answer)
    found = sampled(wanted, build_system("damm", wanted.training.config), tumours.Animal("a", images, ()))
    np.testing.assert_array_equal(found.maps[KEYS[2]], images[:, 0])
    np.testing.assert_allclose(found.divergence, images[:, 0].mean(axis=(1, 2)), rtol=1e-4)
    assert len(set(seen)) == len(seen) == 6 * 6


def result(one: damm.Task, psnr: float, *, external: float = 0.0) -> tuple[damm.Task, dict]:
    def animal(value: float) -> dict:
        scores = dict.fromkeys(damm.COLUMNS, value)
        return {"scores": scores | {"psnr_discordant": None}, "tiles": {"psnr_db": [value, value + 1]}}

    held = f"breast-{one.fold.held[0]}"
    cohorts = {INTERNAL: {one.row.name: {held: animal(psnr)}}, EXTERNAL: {one.row.name: {"m": animal(external)}}}
    told = {"cohorts": cohorts, "divergence": {}, "multimodal": {}, "kinds": {}, "seconds": 60.0, "parameters": 10**6}
    return one, told


def test_a_row_counts_once_all_its_folds_are_there_and_an_external_animal_is_the_mean_over_cells():
    found = [result(task("bbdm", fold=fold), 20.0 + 2 * fold, external=10.0 + 4 * fold) for fold in (0, 1)]
    found.append(result(task("ldm"), 25.0))
    internal, external = (lines(found, cohort, BUDGET) for cohort in (INTERNAL, EXTERNAL))
    assert internal.keys() == external.keys() == {"bbdm"}
    assert internal["bbdm"].values("psnr_db") == [20.0, 22.0]
    assert internal["bbdm"].tiles("psnr_db") == [20.0, 21.0, 22.0, 23.0]
    assert external["bbdm"].values("psnr_db") == [10.0, 14.0] and external["bbdm"].tiles("psnr_db") == [12.0, 13.0]
    assert np.isnan(internal["bbdm"].values("psnr_discordant")).all()
    told = page(found, budget=BUDGET, kind="quick", notices=[], cells=24)
    assert "from 3 of 24 cells" in told and "All animals are simulated" in told and "figures mean nothing" in told
    assert "| 2 | 2 | 21.00 ± 1.41 |" in told


def test_separation_is_the_chance_that_a_discordant_field_has_the_larger_d():
    d, kinds = [0.1, 0.4, 0.3, 0.9], ["concordant", "shifted", "concordant", "faded"]
    told = {"divergence": {INTERNAL: {"a": d}}, "multimodal": {INTERNAL: {"a": [1, 0, 0.5, 0]}}, "kinds": {"a": kinds}}
    area, *means = separation(told, INTERNAL)
    assert area == 1.0 and means == pytest.approx([0.2, 0.65, 0.75, 0.0])
    told["divergence"][INTERNAL]["a"] = [0.1, 0.2, 0.3, 0.9]
    assert separation(told, INTERNAL)[0] == 0.75


@pytest.mark.parametrize("row", [damm.DAMMP, "hrpn-like"])
@pytest.mark.slow
def test_a_cell_end_to_end(tmp_path: Path, row: str):
    one = task(row)
    found = one.cell.compute(tmp_path, lambda folder: measure(one, folder))
    assert json.loads(json.dumps(found)) == one.cell.found(tmp_path)
    internal = found["cohorts"][INTERNAL]
    asked = {damm.at_gamma(row, gamma) for gamma in (0, 0.3, 0.7, 1)} if row == damm.DAMMP else set()
    assert internal.keys() == {row} | asked
    for animals in (internal[row], found["cohorts"][EXTERNAL][row]):
        for animal in animals.values():
            assert 0 < animal["scores"]["psnr_db"] < 60 and len(animal["tiles"]["ssim"]) == 2
    if row == damm.DAMMP:
        assert found["calibration"].keys() >= {"attention uncertainty U", "plain variance", "random"}
        assert found["seams"] and all(0 < d < 1 for d in found["divergence"][INTERNAL]["breast-0"])
        assert "Does uncertainty tell errors?" in page([(one, found)], budget=BUDGET, kind="quick", notices=[], cells=1)


def test_the_sweeps_are_a_table_once_all_of_them_are_there():
    rows = (damm.DAMMP, *(row.name for row in damm.SWEEPS))
    found = [result(task(row), 20.0 + number) for number, row in enumerate(rows)]
    told = page(found, budget=BUDGET, kind="quick", notices=[], cells=24)
    assert "| dammp, λ = 0.0001 | 21.00 |" in told and "| dammp, α = 1 | 26.00 |" in told
    assert "Other λ and α" not in page(found[:-1], budget=BUDGET, kind="quick", notices=[], cells=24)
