"""DAMM-Diffusion's rows on real MR: who trains never tests, and every method sees the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.reproduce.damm import heads
from benchmarks.reproduce.damm import tasks as damm
from benchmarks.reproduce.damm.page import page
from diffuscope.systems.registry import build_system

BUDGET = damm.BUDGETS["quick"]


def test_every_cell_has_a_key_of_its_own_and_can_be_built():
    todo = heads.tasks(damm.BUDGETS["standard"], quick=False)
    assert len({one.cell.key for one in todo}) == len(todo) == 24
    for one in heads.tasks(BUDGET, quick=True):
        build_system(one.training.system, one.training.config)
    longer = replace(todo[0], budget=replace(todo[0].budget, steps=9))
    assert longer.cell.key != todo[0].cell.key


def test_the_branches_change_places():
    """Its uni-modal branch sees the second input, which the other way about is the auxiliary one."""
    for target, (first, second) in heads.TASKS.items():
        alone = {
            method: build_system(
                "damm", heads.HeadTask(target, "patient19", method, BUDGET).training.config
            ).config.main.key
            for method in ("dammp", "dammp-second")
        }
        assert alone == {"dammp": first, "dammp-second": second}


def test_a_baseline_gets_the_same_two_scans_as_red_and_green():
    task = heads.HeadTask("t2", "patient19", "ldm", BUDGET)
    images = {key: torch.rand(2, 1, 8, 8) for key in ("t1", "t2", "flair")}
    found = task.batch(images)
    torch.testing.assert_close(found["he"][:, :2], 255 * torch.cat([images["t1"], images["flair"]], dim=1))
    torch.testing.assert_close(found["ihc"], 255 * images["t2"].expand(-1, 3, -1, -1))
    del images["t2"]
    assert task.batch(images).keys() == {"he"} and task.name == "T1, FLAIR to T2"


@pytest.mark.slow
def test_the_patient_that_tests_never_trains(shared: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    whole = heads.opened

    def told(target: str, patient: str, side: int):
        opened.append(patient)
        return whole(target, patient, side)

    monkeypatch.setattr(heads, "opened", told)
    task = heads.HeadTask("flair", "patient19", "dammp", BUDGET)
    batch = task.batches()(0)
    assert opened == ["patient07"]
    assert batch.keys() == {"t1", "t2", "flair"} and batch["t1"].shape == (BUDGET.batch, 1, BUDGET.patch, BUDGET.patch)
    tests = task.tests()
    assert opened == ["patient07", "patient19"]
    assert tests["flair"].shape == (heads.SLICES, heads.SIDE, heads.SIDE)
    assert all(one.min() >= 0 and one.max() <= 1 and one.std() > 0.05 for one in tests.values())


@pytest.mark.slow
def test_a_cell_end_to_end_and_its_line(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heads, "SLICES", 2)
    task = heads.HeadTask("t1", "patient07", "hrpn-like", BUDGET)
    found = task.cell.compute(tmp_path, lambda folder: heads.measure(task, folder))
    assert len(found["scores"]["psnr_db"]) == 2 and np.isfinite(found["scores"]["psnr_db"]).all()
    told = page([(task, found)], budget=BUDGET, kind="quick", notices=[], cells=1)
    assert f"| T2, FLAIR to T1 | – | – | – | – | – | – | {np.mean(found['scores']['psnr_db']):.2f} / " in told
