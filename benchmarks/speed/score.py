"""How long a cohort without images takes: `diffuscope score` of a thousand made-up rows, start and all, on one core.

On a machine that has other things to do ``cpu_seconds`` tell more than ``seconds``.
Without ``--model`` the model has random weights, and the size and columns of one for head-and-neck tables: 22 columns
in three tables, eight guides.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.shared.figures import Goal
from diffuscope.model.find import model_info
from diffuscope.model.folder import save_model
from diffuscope.ports.table import Column, Table
from diffuscope.systems.registry import build_system

GOALS = {"seconds": Goal(high=30.0)}
# How many categories coded columns have, and how many columns of numbers there are.
_CODED, _NUMBERS = {"clinical": (2, 2, 4), "pathology": (5, 3)}, {"clinical": 1, "blood": 16}
_CARD = {
    "title": "Random weights",
    "what_it_is": "Random weights, to be timed.",
    "what_it_is_not": "A model.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
}


def measure(*, rows: int = 1000, model: str = "", members: int = 8) -> dict[str, float]:
    """Score made-up patients in a process of its own.

    Parameters
    ----------
    rows : int
        Patients.
    model : str
        Name or folder of a model; default one of random weights.
    members : int
        Guides of that.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = model or str(random_model(folder / "model", members))
        tables = [port for port in model_info(chosen).declared.inputs if isinstance(port, Table)]
        write_rows(folder / "cohort.csv", tables, rows)
        seconds, busy = scored(chosen, folder / "cohort.csv", folder / "scores.csv")
        (folder / "one.csv").write_text("".join((folder / "cohort.csv").open().readlines()[:2]), encoding="utf-8")
        start, _ = scored(chosen, folder / "one.csv", folder / "one_score.csv")
    return {
        "seconds": seconds,
        "cpu_seconds": busy,
        "start_seconds": start,
        "rows_per_second": (rows - 1) / (seconds - start),
    }


def random_model(folder: Path, members: int) -> Path:
    """Write a model with random weights."""
    columns: dict[str, list[dict[str, object]]] = {"clinical": [], "pathology": [], "blood": []}
    for key, counts in _CODED.items():
        columns[key] += [
            {"name": f"{key} code {number}", "categories": [str(code) for code in range(count)]}
            for number, count in enumerate(counts)
        ]
    for key, count in _NUMBERS.items():
        columns[key] += [{"name": f"{key} {number}"} for number in range(count)]
    config = {
        "tables": [{"name": key, "key": key, "columns": own} for key, own in columns.items()],
        "members": members,
        "threshold": 0.5,
    }
    torch.manual_seed(0)
    return save_model(folder, build_system("mmfusion", config), "mmfusion", config, _CARD)


def write_rows(path: Path, tables: list[Table], count: int) -> None:
    """Write patients with values that their columns take, one in twenty of them missing."""
    rng = np.random.default_rng(0)
    columns = [column for table in tables for column in table.columns]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", *(column.name for column in columns)])
        for number in range(count):
            table.writerow([f"{number:05d}", *(_value(column, rng) for column in columns)])


def _value(column: Column, rng: np.random.Generator) -> str:
    if rng.random() < 0.05:
        return ""
    if column.categories:
        return str(rng.choice(column.categories))
    return f"{rng.uniform(*(column.range or (0.0, 10.0))):.4g}"


def scored(model: str, cohort: Path, out: Path) -> tuple[float, float]:
    """Return the seconds of a process that scores a cohort on one thread, and those in which it computed."""
    words = [sys.executable, "-m", "diffuscope", "score", model, str(cohort), "-o", str(out), "--device", "cpu"]
    alone = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    before, begun = os.times(), time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(words, check=True, env=os.environ | alone, **quiet)  # noqa: S603  words of our own
    seconds, after = time.perf_counter() - begun, os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, busy
