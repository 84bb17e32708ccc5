"""The demonstration models against their teacher, and against what needs no model: cells of one table.

A cell is (stain, λ, seed), trained for the same number of steps as every other, resumed where it was stopped, and
measured once: ``python -m benchmarks.demo_weights`` goes on where it was, and prints the table at the end. ``--quick``
trains 20 steps a cell to try the machinery; its figures mean nothing and are kept apart.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks._scores import COLUMNS, held_out_sets, score_baselines, score_model, shipped_recipe
from diffuscope.devices import pick_device
from diffuscope.run import load_model
from diffuscope.sample_data import sample_path
from diffuscope.training.events import Validated
from diffuscope.training.model import make_card, make_data, make_start
from diffuscope.training.recipe import Recipe
from diffuscope.training.teacher import Stain
from diffuscope.training.trainer import fit
from diffuscope.zoo import save_model

RUNS = Path(__file__).parents[1] / "runs/demo-weights"
STEPS, QUICK_STEPS = 1000, 20


@dataclass(frozen=True)
class Cell:
    """One training: stain, weight of the segmentation loss, seed."""

    stain: Stain
    lambda_seg: float
    seed: int

    @property
    def key(self) -> str:
        """Name of its folder."""
        return f"{self.stain.lower().replace('/', '')}-lambda{self.lambda_seg:g}-seed{self.seed}"

    def recipe(self, steps: int) -> Recipe:
        """Return the shipped recipe with this cell's λ and seed, and the common budget."""
        shipped = shipped_recipe("stain-cd3-demo" if self.stain == "CD3" else "stain-ck818-demo")
        optimisation = shipped.optimisation.model_copy(update={"seed": self.seed, "steps": steps})
        config = shipped.config | {"lambda_seg": self.lambda_seg}
        return shipped.model_copy(update={"config": config, "optimisation": optimisation})


CELLS = (
    *(Cell("CD3", weight, seed) for seed in (0, 1) for weight in (1.0, 0.0)),
    Cell("CK8/18", 1.0, 0),
    Cell("CK8/18", 0.0, 0),
)


def train_cell(cell: Cell, steps: int, folder: Path) -> Path:
    """Train a cell, or finish its training; return its model folder."""
    out = folder / cell.key
    if (out / "config.json").exists():
        return out
    recipe = cell.recipe(steps)
    start = make_start(recipe)
    data, _ = make_data(recipe, start, sample_path())

    def tell(event: object) -> None:
        if isinstance(event, Validated):
            print(f"{cell.key}: step {event.step} of {steps}, validation loss {event.terms['loss']:.4g}", flush=True)

    folder = folder / f"{cell.key}.training"
    fit(start.system, data, recipe.optimisation, folder=folder, device=pick_device(), resume=True, tell=tell)
    return save_model(out, start.system, start.name, start.config, make_card(recipe, start, {}))


def measure(stain: Stain, models: dict[str, Path]) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield (set, method, scores) of the baselines and of every model of a stain."""
    *sets, colours = held_out_sets(next(cell for cell in CELLS if cell.stain == stain).recipe(1))
    for tiles in sets:
        for name, values in score_baselines(tiles, colours):
            yield tiles.name, name, values
        for key, folder in models.items():
            yield tiles.name, key, score_model(load_model(folder), tiles)


def main() -> None:
    """Train what is not trained, measure what is not measured, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps a cell: tries the machinery")
    quick = parser.parse_args().quick
    folder = RUNS / ("quick" if quick else f"{STEPS}-steps")
    models = {cell.key: (cell, train_cell(cell, QUICK_STEPS if quick else STEPS, folder)) for cell in CELLS}
    print(f"| stain | set | method | {' | '.join(COLUMNS)} |\n|{'---|' * (3 + len(COLUMNS))}")
    for stain in ("CD3", "CK8/18"):
        kept = folder / f"{stain.lower().replace('/', '')}.json"
        if not kept.exists():
            found = list(measure(stain, {key: path for key, (cell, path) in models.items() if cell.stain == stain}))
            kept.write_text(json.dumps(found, indent=1))
        for where, method, values in json.loads(kept.read_text()):
            print(f"| {stain} | {where} | {method} | {' | '.join(f'{values[c]:.3g}' for c in COLUMNS)} |")


if __name__ == "__main__":
    main()
