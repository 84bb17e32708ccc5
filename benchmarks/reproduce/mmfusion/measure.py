"""What a cell of MMFusion's table finds: the score of every patient by models that never saw them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.mmfusion import simulated
from benchmarks.reproduce.mmfusion.baselines import best, matrix
from benchmarks.reproduce.mmfusion.eyes import Seeing
from benchmarks.reproduce.mmfusion.lydata import lymph_model
from benchmarks.reproduce.mmfusion.networks import draws, train
from benchmarks.reproduce.mmfusion.rows import FRESH, LYMPH, MMFUSION
from benchmarks.reproduce.mmfusion.scoring import setting
from benchmarks.reproduce.mmfusion.stages import parted, probes
from benchmarks.reproduce.mmfusion.study import Fold
from benchmarks.reproduce.mmfusion.tasks import Task
from diffuscope.results.beside.spread import over_guides

Floats = NDArray[np.float64]
_DIGITS = 5
_MANY = 10**6


def measure(task: Task, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Train a row on every fold.

    Returns
    -------
    dict
        Of each patient who tests ``probability``, ``cut`` and ``calibrated`` of the fold in which they tested, and of
        several guides ``low`` and ``high``, where a guide of other patients would put the score; of MMFusion on images
        ``probes`` and ``parted`` of each fold (see `benchmarks.reproduce.mmfusion.stages`); ``seconds`` and
        ``parameters``.
    """
    if task.row.kind == FRESH:
        return _fresh(task)
    study = task.study
    label = study.label
    start = time.monotonic()
    found = {name: np.full(len(label), np.nan) for name in ("probability", "cut", "calibrated", "low", "high")}
    beside: dict[str, list[Any]] = {"probes": [], "parted": []}
    parameters = 0
    for number, fold in enumerate(study.folds(seed=task.seed)):
        scored = _scored(task, fold, seed=1000 * task.seed + number, beside=beside)
        parameters = scored.pop("parameters", np.zeros(1))[0]
        own, held = scored["probability"], label[fold.validation]
        found["probability"][fold.test] = own[fold.test]
        said = setting(held, own[fold.validation], count=_draws(task))
        found["cut"][fold.test] = said.cut
        found["calibrated"][fold.test] = said.calibrated(own[fold.test])
        for end in ("low", "high"):
            if end in scored:
                found[end][fold.test] = scored[end][fold.test]
    tested = {name: values[study.tested] for name, values in found.items()}
    kept = {name: values for name, values in tested.items() if not np.isnan(values).any()}
    told = {name: [round(float(value), _DIGITS) for value in values] for name, values in kept.items()}
    more = {name: values for name, values in beside.items() if values}
    return told | more | {"seconds": time.monotonic() - start, "parameters": int(parameters)}


def _fresh(task: Task) -> dict[str, Any]:
    """Return the scores of everyone by a guide of other patients, as many as train in a fold of the study."""
    start, study = time.monotonic(), task.study
    of_study = study.folds(seed=0)[0]
    used = len(of_study.train) + len(of_study.validation)
    other = simulated.study(
        patients=used,
        seed=simulated.SEED + 1 + task.seed,
        backbone=simulated.BACKBONE,
        others=task.budget.others,
        steps=task.budget.eye_steps,
    )
    places = np.arange(used)
    held = places[:: used // len(of_study.validation)][: len(of_study.validation)]
    fold = Fold(np.setdiff1d(places, held), held, places[:0])
    system = train(other, fold, task.config, task.plan, seed=task.seed)
    found = draws(system, study.some(np.arange(len(study.label))), task.plan).mean(axis=(0, 2))
    told = [round(float(value), _DIGITS) for value in found]
    return {"probability": told, "seconds": time.monotonic() - start, "parameters": 0}


def _scored(task: Task, fold: Fold, *, seed: int, beside: dict[str, list[Any]]) -> dict[str, Floats]:
    """Return the scores of everyone by what the rows of a fold trained; only those of who did not train count."""
    study, row = task.study, task.row
    if row.kind == LYMPH:
        return {"probability": lymph_model(fold)}
    if row.kind != MMFUSION:
        keys = [table["key"] for table in study.tables if table["key"] not in row.without]
        return {"probability": best(row.kind, matrix(study, keys), study.label, fold)}
    system = train(study, fold, task.config, task.plan, seed=seed, without=row.without)
    asked = np.concatenate([fold.validation, fold.test])
    drawn = draws(system, study.some(asked, without=row.without), task.plan)
    if isinstance(system, Seeing) and row.name == "mmfusion":
        beside["probes"].append(probes(system, study, fold))
        beside["parted"].append(parted(system, study, fold, seed=seed))
    found = {"parameters": np.array([sum(one.numel() for one in system.parameters())])}
    found["probability"] = _everyone(drawn.mean(axis=(0, 2)), asked, len(study.label))
    if len(drawn) > 1:
        ends = np.array([over_guides(drawn[:, one].tolist()) for one in range(len(asked))])
        found |= {name: _everyone(ends[:, i], asked, len(study.label)) for i, name in enumerate(("low", "high"))}
    return found


def _draws(task: Task) -> int:
    """Return of how many draws a score is the mean; one that is no mean is as sure as very many."""
    is_drawn = task.row.kind == MMFUSION and task.config.get("diffusion", True)
    return task.config["members"] * task.plan.samples if is_drawn else _MANY


def _everyone(values: Floats, asked: NDArray[np.intp], count: int) -> Floats:
    found = np.full(count, np.nan)
    found[asked] = values
    return found
