"""What a cell of MMFusion's table finds: the score of every patient by models that never saw them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.mmfusion.baselines import best, matrix
from benchmarks.reproduce.mmfusion.networks import draws, train
from benchmarks.reproduce.mmfusion.lydata import lymph_model
from benchmarks.reproduce.mmfusion.rows import LYMPH, MMFUSION
from benchmarks.reproduce.mmfusion.scoring import best_cut, calibrated, calibration
from benchmarks.reproduce.mmfusion.study import Fold, folds
from benchmarks.reproduce.mmfusion.tasks import Task
from diffuscope.results.spread import over_guides

Floats = NDArray[np.float64]
_DIGITS = 5


def measure(task: Task, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Train a row on every fold.

    Returns
    -------
    dict
        Of each patient ``probability``, ``cut`` and ``calibrated`` of the fold in which they tested, and of several
        guides ``low`` and ``high``, where a guide of other patients would put the score; ``seconds`` and
        ``parameters``.
    """
    study = task.study
    label = study.label
    start = time.monotonic()
    found = {name: np.full(len(label), np.nan) for name in ("probability", "cut", "calibrated", "low", "high")}
    parameters = 0
    for number, fold in enumerate(folds(label, seed=task.seed)):
        scored = _scored(task, fold, seed=1000 * task.seed + number)
        parameters = scored.pop("parameters", np.zeros(1))[0]
        own, held = scored["probability"], label[fold.validation]
        found["probability"][fold.test] = own[fold.test]
        found["cut"][fold.test] = best_cut(held, own[fold.validation])
        curve = calibration(held, own[fold.validation])
        found["calibrated"][fold.test] = calibrated(own[fold.test], curve)
        for end in ("low", "high"):
            if end in scored:
                found[end][fold.test] = scored[end][fold.test]
    kept = {name: values for name, values in found.items() if not np.isnan(values).any()}
    told = {name: [round(float(value), _DIGITS) for value in values] for name, values in kept.items()}
    return told | {"seconds": time.monotonic() - start, "parameters": int(parameters)}


def _scored(task: Task, fold: Fold, *, seed: int) -> dict[str, Floats]:
    """Return the scores of everyone by what the rows of a fold trained; only those of who did not train count."""
    study, row = task.study, task.row
    if row.kind == LYMPH:
        return {"probability": lymph_model(fold)}
    if row.kind != MMFUSION:
        keys = [table["key"] for table in study.tables if table["key"] not in row.without]
        return {"probability": best(row.kind, matrix(study, keys), study.label, fold)}
    system = train(study, fold, task.config, task.plan, seed=seed)
    asked = np.concatenate([fold.validation, fold.test])
    drawn = draws(system, study.some(asked), task.plan)
    found = {"parameters": np.array([sum(one.numel() for one in system.parameters())])}
    found["probability"] = _everyone(drawn.mean(axis=(0, 2)), asked, len(study.label))
    if len(drawn) > 1:
        ends = np.array([over_guides(drawn[:, one].tolist()) for one in range(len(asked))])
        found |= {name: _everyone(ends[:, i], asked, len(study.label)) for i, name in enumerate(("low", "high"))}
    return found


def _everyone(values: Floats, asked: NDArray[np.intp], count: int) -> Floats:
    found = np.full(count, np.nan)
    found[asked] = values
    return found
