"""What a cell finds: scores of each test slide, and of each of its tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.staindiffuser.tasks import Task
from benchmarks.shared.cells import training_seconds
from benchmarks.shared.scores import Tiles, scores, stain, stain_word
from diffuscope import load_model
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.stains import dab_density
from diffuscope.systems.registry import build_system


def measure(task: Task, folder: Path) -> dict[str, Any]:
    """Train a task, or finish its training, and measure it.

    Returns
    -------
    dict
        ``stains``: {stain: {method: {slide: {"scores": …, "tiles": …}}}}; of a task with a row also ``seconds`` of
        training and ``parameters``.
    """
    study, row = task.study, task.row
    if row is None:
        return {
            "stains": {
                name: _by_method([(tiles, study.methods(name, tiles)) for tiles in study.tests(name)])
                for name in study.stains
            }
        }
    batches = study.batches(seed=task.seed, batch=task.budget.batch, patch=task.budget.patch)
    derive = build_system(task.training.system, task.training.config).derive
    model = load_model(task.training.run(folder, lambda step: derive(batches(step)), _card(task)))
    found = {
        name: _by_method(
            [
                (tiles, {row.name: stain(model, tiles, key=f"ihc_{stain_word(name)}" if row.several else "ihc")})
                for tiles in study.tests(name)
            ]
        )
        for name in study.stains
    }
    parameters = sum(parameter.numel() for parameter in model.system.parameters())
    return {"stains": found, "seconds": training_seconds(folder), "parameters": parameters}


def _by_method(slides: list[tuple[Tiles, dict[str, NDArray[np.uint8]]]]) -> dict[str, dict[str, Any]]:
    """Return {method: {slide: scores}} of pictures by method, slide after slide."""
    found: dict[str, dict[str, Any]] = {}
    for tiles, pictures in slides:
        for method, picture in pictures.items():
            found.setdefault(method, {})[tiles.name] = {
                "scores": scores(picture, dab_density(picture), tiles.ihc, tiles.dab),
                "tiles": {
                    "psnr_db": [psnr(a, b, data_range=255) for a, b in zip(tiles.ihc, picture, strict=True)],
                    "ssim": [ssim(a, b, data_range=255) for a, b in zip(tiles.ihc, picture, strict=True)],
                },
            }
    return found


def _card(task: Task) -> dict[str, Any]:
    return {
        "title": f"A cell of benchmarks.reproduce: {task.cell.name}",
        "what_it_is": "Trained briefly, to be compared.",
        "what_it_is_not": "A model to use.",
        "data": task.study.name,
        "licence": "not for release",
        "trained_on": task.study.name,
        "simulated": task.study.name.startswith("restained"),
    }
