"""What a cell of MIDiffusion's table finds: each slice of each patient that tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.reproduce.claims import known_mean
from benchmarks.reproduce.midiffusion.data import few_pairs, registration_auc, target_batches
from benchmarks.reproduce.midiffusion.tasks import (
    AVERAGED,
    IDENTITY,
    INVERTED,
    ITSELF,
    LMI,
    MATCHED,
    MEAN_IMAGE,
    MEAN_VALUE,
    NEAR,
    NOTHING,
    REMAPPED,
    SDEDIT,
    SDEDIT_MATCHED,
    SHUFFLED,
    THIRD,
    Task,
    as_image,
    as_picture,
    is_gated,
    mean_of,
    remapped,
)  # fmt: skip
from benchmarks.shared.cells import training_seconds
from benchmarks.shared.scans import (
    Pictures,
    Slices,
    learned,
    matched,
    slices_of,
    strangers,
)  # fmt: skip
from benchmarks.shared.slide import sample_tiles
from benchmarks.shared.translated import COLUMNS, Translated, kernel_distance, mean_psnr, scores, translated
from diffuscope import load_model
from diffuscope.systems.base import System
from diffuscope.systems.midiffusion.system import MIDiffusion

# Where SDEdit begins beyond the sweep of a budget.
_FARTHER = (0.7, 0.8, 0.9)


def measure(task: Task, folder: Path) -> dict[str, Any]:
    """Train a task, or finish its training, and measure it.

    Returns
    -------
    dict
        ``methods``: {method: {patient: {"scores": …, "tiles": …}}} with a tile a slice; of what is not trained
        ``registration``: {patient: AUC} where one of the two is CT; else ``seconds`` of training and ``parameters``,
        and of MIDiffusion ``sweep``: {SDEdit of which source: {t0: PSNR}}.
    """
    tests = slices_of(task.direction, task.direction.held, task.slices, task.budget.side)
    if task.row is None:
        return _untrained(task, tests)
    training = task.training
    own = {"seed": task.seed, "batch": training.optimisation.batch, "patch": training.config["patch"]}
    if task.row.system == "midiffusion":
        batches = target_batches(task.direction, folder.parent / "data", **own)
    else:
        batches = few_pairs(task.direction, **own)
    model = task.training.run(folder, lambda step: task.batch(batches(step)), _card(task))
    system = load_model(model).system
    found: dict[str, Any] = {
        "methods": {}, "seconds": training_seconds(folder), "parameters": sum(p.numel() for p in system.parameters()),
    }  # fmt: skip
    if isinstance(system, MIDiffusion):
        drawn, sweep = _asked(task, system, tests)
        for method, one in drawn.items():
            found["methods"][method] = scored(task, tests, one.sample)
            if method in AVERAGED:
                found["methods"][mean_of(method)] = scored(task, tests, one.mean)
        return found | ({"sweep": sweep} if sweep else {})
    found["methods"][task.row.name] = scored(task, tests, _painted(system, tests))
    return found


def scored(task: Task, tests: Slices, guess: Pictures) -> dict[str, Any]:
    """Return {patient: {"scores": means over slices, "tiles": values of each slice}}; KID is that of all patients."""
    rows = scores(tests, guess, task.direction.modalities[1])
    distance = kernel_distance(tests, guess)
    found = {}
    for patient in dict.fromkeys(tests.patients):
        mine = [row for row, name in zip(rows, tests.patients, strict=True) if name == patient]
        tiles = {key: [row[key] for row in mine] for key in mine[0]}
        means = {key: known_mean(values) for key, values in tiles.items()} | {"kid": distance}
        found[patient] = {"scores": {key: means[key] for key in COLUMNS}, "tiles": tiles}
    return found


def _untrained(task: Task, tests: Slices) -> dict[str, Any]:
    direction, shape = task.direction, tests.target.shape
    known = learned(direction, task.budget.side)
    guesses = {
        IDENTITY: tests.source,
        MATCHED: matched(tests, known),
        MEAN_IMAGE: np.broadcast_to(known.mean(axis=0), shape),
        MEAN_VALUE: np.full(shape, known.mean(), np.float32),
    }
    found: dict[str, Any] = {"methods": {name: scored(task, tests, guess) for name, guess in guesses.items()}}
    if is_gated(direction):
        found["registration"] = {patient: registration_auc(direction, patient) for patient in direction.held}
    return found


def _asked(task: Task, system: MIDiffusion, tests: Slices) -> tuple[dict[str, Translated], dict[str, dict[str, float]]]:
    """Return the results of all that a trained network is asked, by method; and PSNR of SDEdit by t0."""
    several, seed, places = task.budget.samples, task.seed, tests.places
    assert task.row is not None

    def ask(source: Pictures, *, samples: int = 1, **options: float) -> Translated:
        return translated(system, source, places, samples=samples, seed=seed, options=options)

    if task.row.name != LMI:
        return {task.row.name: ask(tests.source, samples=several)}, {}
    drawn = {
        LMI: ask(tests.source, samples=several),
        NEAR: ask(tests.around, samples=several),
        SHUFFLED: ask(strangers(task.direction, task.slices, task.budget.side), samples=several),
        NOTHING: ask(tests.source, samples=several, guidance=0.0),
        ITSELF: ask(tests.target),
        INVERTED: ask(1.0 - tests.target),
        REMAPPED: ask(remapped(tests.target)),
        THIRD: ask(remapped(tests.source)),
    }
    sweep = {}
    matching = matched(tests, learned(task.direction, task.budget.side))
    for method, source in ((SDEDIT, tests.source), (SDEDIT_MATCHED, matching)):
        tried = {t0: mean_psnr(tests, ask(source, guidance=0.0, t0=t0).sample) for t0 in task.budget.t0}
        for t0 in _FARTHER:
            # The best one is to lie within what is tried.
            if t0 > max(tried) and _best(tried) == max(tried):
                tried[t0] = mean_psnr(tests, ask(source, guidance=0.0, t0=t0).sample)
        best = _best(tried)
        drawn[method] = ask(source, samples=several, guidance=0.0, t0=best)
        sweep[method] = {f"{t0:g}": value for t0, value in tried.items()}
    return drawn, sweep


def _best(tried: Mapping[float, float]) -> float:
    return max(tried, key=lambda t0: tried[t0])


def _painted(system: System, tests: Slices) -> Pictures:
    """Return what a baseline makes of the sources."""
    images: Mapping[str, torch.Tensor] = {"he": as_picture(torch.from_numpy(tests.source)[:, None])}
    places = [(y, x) for _, y, x in tests.places]
    found, _ = sample_tiles(system, images, places, next(iter(system.presets.values())))
    return as_image(found["ihc"])


def _card(task: Task) -> dict[str, Any]:
    return {
        "title": f"A cell of benchmarks.reproduce: {task.cell.name}",
        "what_it_is": "Trained briefly, to be compared.",
        "what_it_is_not": "A model to use.",
        "data": f"{task.direction.folder} without {', '.join(task.direction.held)}",
        "licence": "not for release",
        "trained_on": "real scans",
        "simulated": False,
    }
