"""The demonstration models against their teacher, and against what needs no model: cells of one table.

A cell is (stain, λ, seed), trained for the same number of steps as every other, resumed where it was stopped, and
measured once: another call goes on where this one was stopped. ``--quick``
trains 20 steps a cell to try the machinery; its figures mean nothing, and no other table takes them for its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.shared.cells import Cell, Training
from benchmarks.shared.figures import Goals
from benchmarks.shared.places import RUNS
from benchmarks.shared.scores import (
    COLUMNS,
    MPP,
    THRESHOLD,
    held_out_sets,
    restained_data,
    score_baselines,
    score_model,
    shipped_recipe,
    stain_word,
)
from diffuscope import load_model
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.crops import batch_at
from diffuscope.simulation.restaining.sources import make_pairs
from diffuscope.simulation.restaining.teacher import Stain
from diffuscope.training.recipe import Recipe

CELLS = RUNS / "demo-weights"
STEPS, QUICK_STEPS = 1000, 20
GOALS: Goals = {}


@dataclass(frozen=True)
class Model:
    """One training: stain, weight of the segmentation loss, seed."""

    stain: Stain
    lambda_seg: float
    seed: int

    @property
    def name(self) -> str:
        """Name of its cell."""
        return f"{stain_word(self.stain)}-lambda{self.lambda_seg:g}-seed{self.seed}"

    def recipe(self, steps: int) -> Recipe:
        """Return the shipped recipe with this λ and seed, and the common budget."""
        shipped = shipped_recipe(f"stain-{stain_word(self.stain)}-demo")
        optimisation = shipped.optimisation.model_copy(update={"seed": self.seed, "steps": steps})
        config = shipped.config | {"lambda_seg": self.lambda_seg}
        return shipped.model_copy(update={"config": config, "optimisation": optimisation})


MODELS = (
    *(Model("CD3", weight, seed) for seed in (0, 1) for weight in (1.0, 0.0)),
    Model("CK8/18", 1.0, 0),
    Model("CK8/18", 0.0, 0),
)


def measure_model(model: Model, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train a model, or finish its training, and score it on both sets: {set: scores}."""
    batches = partial(
        batch_at,
        make_pairs(restained_data(recipe), sample_path(), mpp=MPP),
        seed=model.seed,
        size=recipe.optimisation.batch,
        patch=recipe.config["patch"],
        positive_share=restained_data(recipe).positive_share,
        dab_threshold=THRESHOLD,
    )
    trained = Training(recipe.system, recipe.config, recipe.optimisation).run(folder, batches, recipe.card)
    *sets, _ = held_out_sets(recipe)
    return {tiles.name: score_model(load_model(trained), tiles) for tiles in sets}


def measure_baselines(recipe: Recipe, _: Path) -> dict[str, Any]:
    """Score what needs no model: {set: {method: scores}}."""
    *sets, colours = held_out_sets(recipe)
    return {tiles.name: dict(score_baselines(tiles, colours)) for tiles in sets}


def measure(*, quick: bool = False) -> dict[str, float]:
    """Compute the cells that are missing, print the table, and return it by stain, set, method and column.

    Parameters
    ----------
    quick : bool
        20 steps a cell: tries the machinery.
    """
    steps, figures = QUICK_STEPS if quick else STEPS, dict[str, float]()
    print(f"| stain | set | method | {' | '.join(COLUMNS)} |\n|{'---|' * (3 + len(COLUMNS))}")
    for stain in ("CD3", "CK8/18"):
        models = [model for model in MODELS if model.stain == stain]
        recipe = models[0].recipe(1)
        facts = {"recipe": recipe.model_dump(exclude={"config", "optimisation", "card"})}
        found = Cell(f"{stain_word(stain)}-baselines", facts).compute(CELLS, partial(measure_baselines, recipe))
        for model in models:
            recipe = model.recipe(steps)
            cell = Cell(model.name, {"recipe": recipe.model_dump(exclude={"card"})})
            for where, values in cell.compute(CELLS, partial(measure_model, model, recipe)).items():
                found[where][model.name] = values
        for where, methods in found.items():
            for method, values in methods.items():
                print(f"| {stain} | {where} | {method} | {' | '.join(f'{values[c]:.3g}' for c in COLUMNS)} |")
                row = f"{stain_word(stain)}: {where}: {method.removeprefix(f'{stain_word(stain)}-')}"
                figures |= {f"{row}: {column}": values[column] for column in COLUMNS}
    return figures
