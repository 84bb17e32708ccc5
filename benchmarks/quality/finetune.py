"""What fine-tuning a shipped model on 20 pairs of a user brings, on pairs that stay apart (docs/train.md).

The pairs are those of ``diffuscope make pairs``: simulated, and of one slide. The recipe is the one it
writes; ``--steps`` shortens it to try the machinery.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from benchmarks.shared.figures import Goal
from diffuscope import load_model, train
from diffuscope.devices import pick_device
from diffuscope.evaluation.trained import measure as score
from diffuscope.simulation.restaining.example import write_example
from diffuscope.training.data.crops import crops_of, read_cases
from diffuscope.training.events import TrainingFinished
from diffuscope.training.recipe import load_recipe
from diffuscope.training.recipe_data import Cases

GOALS = {"gain_db": Goal(low=0.0), "seconds": Goal(high=600.0)}


def measure(*, steps: int | None = None) -> Mapping[str, float]:
    """Make the pairs, fine-tune, and score both models on what stays apart.

    Parameters
    ----------
    steps : int
        Instead of the recipe's.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_example(folder)
        path = folder / "finetune.yaml"
        if steps is not None:
            path.write_text(path.read_text().replace("steps: 300", f"steps: {steps}"))
        recipe = load_recipe(path)
        assert isinstance(recipe.data, Cases) and recipe.init_from is not None
        begin = monotonic()
        *_, end = train(path, folder / "model")
        seconds = monotonic() - begin
        assert isinstance(end, TrainingFinished)
        before, after = (load_model(name).system for name in (recipe.init_from, folder / "model"))
        parts = read_cases(recipe, recipe.data, before, folder)
        apart = {"train": parts["train"], "validation": parts["test"]}
        data = crops_of(apart, recipe.data, before, seed=0, batch=4, side=128)
        scores = [score(system, data, device=pick_device())["validation PSNR (dB)"] for system in (before, after)]
        return {
            "psnr_before_db": scores[0],
            "psnr_after_db": scores[1],
            "gain_db": scores[1] - scores[0],
            "kept_step": end.kept,
            "seconds": seconds,
        }
