"""``python -m diffuscope.training RECIPE -o MODEL``: make a shipped model again."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from diffuscope.devices import pick_device, pick_precision
from diffuscope.sample_data import sample_path
from diffuscope.systems.registry import build_system
from diffuscope.training.masks import Batches
from diffuscope.training.pairs import batch_at, make_pairs
from diffuscope.training.recipe import load_recipe
from diffuscope.training.targets import with_targets
from diffuscope.training.trainer import train
from diffuscope.zoo import save_model


def main() -> None:
    """Train a recipe's model, resuming from its checkpoint, and write the model folder."""
    parser = argparse.ArgumentParser(prog="python -m diffuscope.training", description=main.__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--data", type=Path, default=sample_path(), help="folder of the recipe's files")
    parser.add_argument("--checkpoint", type=Path, help="default: OUT.checkpoint.pt beside the model folder")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    recipe = load_recipe(arguments.recipe)
    # Weights that underflow slow a CPU tenfold, and no gradient needs them.
    torch.set_flush_denormal(True)
    device = pick_device(arguments.device)
    torch.manual_seed(recipe.optimisation.seed)
    system = build_system(recipe.system, recipe.config)
    pairs = make_pairs(recipe, arguments.data, mpp=system.inputs[0].mpp)
    batches: Batches = partial(
        batch_at,
        pairs,
        seed=recipe.optimisation.seed,
        size=recipe.optimisation.batch,
        patch=recipe.config.get("patch", 128),
        positive_share=recipe.positive_share,
        dab_threshold=recipe.config.get("dab_threshold", 0.15),
    )
    batches = with_targets(batches, recipe)
    checkpoint = arguments.checkpoint or arguments.out.with_suffix(".checkpoint.pt")
    precision = pick_precision(device)
    sums: dict[str, float] = {}
    for report in train(
        system, batches, recipe.optimisation, checkpoint=checkpoint, device=device, bf16=precision == "bf16"
    ):
        step = report.pop("step")
        sums = {key: sums.get(key, 0.0) + value for key, value in report.items() if key != "seconds"}
        if step % 100 == 0:
            means = "  ".join(f"{key} {value / 100:.4f}" for key, value in sums.items())
            print(f"step {step}/{recipe.optimisation.steps}  {report['seconds']:.0f} s  {means}", flush=True)
            sums = {}
    command = f"python -m diffuscope.training {arguments.recipe} -o {arguments.out}"
    save_model(arguments.out, system, recipe.system, recipe.config, recipe.card, recipe=command)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
