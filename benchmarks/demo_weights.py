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
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks._slide import lesson, sample
from diffuscope.devices import pick_device, pick_precision
from diffuscope.run import load_model
from diffuscope.sample_data import sample_path
from diffuscope.stains import dab_density
from diffuscope.systems.registry import build_system
from diffuscope.training.pairs import BLOCK, Pair, batch_at, held_out, make_pairs
from diffuscope.training.recipe import Recipe, load_recipe
from diffuscope.training.teacher import Lesson, Stain, paint
from diffuscope.training.trainer import train
from diffuscope.zoo import save_model

RECIPES = Path(__file__).parents[1] / "src/diffuscope/training/recipes"
RUNS = Path(__file__).parents[1] / "runs/demo-weights"
STEPS, QUICK_STEPS = 2000, 20
THRESHOLD = 0.15  # fixed on the training slides, see the recipe
MICROMETRES = 10.0
COLUMNS = ("psnr_db", "ssim", "psnr_db_near", "dab_od_error", "area_error_percent", "dice")


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
        shipped = load_recipe(RECIPES / ("stain-cd3-demo.yaml" if self.stain == "CD3" else "stain-ck818-demo.yaml"))
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
    torch.manual_seed(cell.seed)
    torch.set_flush_denormal(True)
    system = build_system(recipe.system, recipe.config)
    batches = partial(
        batch_at,
        make_pairs(recipe, sample_path(), mpp=0.5),
        seed=cell.seed,
        size=recipe.optimisation.batch,
        patch=recipe.config["patch"],
        positive_share=recipe.positive_share,
        dab_threshold=THRESHOLD,
    )
    device = pick_device()
    bf16 = pick_precision(device) == "bf16"
    checkpoint = folder / f"{cell.key}.checkpoint.pt"
    for report in train(system, batches, recipe.optimisation, checkpoint=checkpoint, device=device, bf16=bf16):
        if report["step"] % 500 == 0:
            print(f"{cell.key}: step {report['step']} of {steps}, {report['seconds']:.0f} s", flush=True)
    return save_model(out, system, recipe.system, recipe.config, recipe.card)


def slide_tiles(taught: Lesson) -> list[tuple[Lesson, tuple[int, int]]]:
    """Return 24 tiles of the held-out slide, on a lattice over its tissue."""
    dark = ndimage.uniform_filter((taught.he.mean(axis=-1) < 225).astype(float), BLOCK)
    rows, columns = (range(0, n - BLOCK, BLOCK) for n in taught.he.shape[:2])
    places = [(y, x) for y in rows for x in columns if dark[y + BLOCK // 2, x + BLOCK // 2] > 0.5]
    return [(taught, place) for place in places[:: max(len(places) // 24, 1)][:24]]


def block_tiles(pairs: list[Pair]) -> list[tuple[Lesson, tuple[int, int]]]:
    """Return 24 held-out blocks of the training sources; those of a small source all, of a large one in turns."""
    places = [
        (pair.lesson, (int(row) * BLOCK, int(column) * BLOCK))
        for pair in pairs
        for row, column in np.argwhere(held_out(pair.lesson.he.shape[:2]))
    ]
    return places[:: max(len(places) // 24, 1)][:24]


def scores(
    found: NDArray[np.uint8], dab: NDArray[np.float32], truth: NDArray[np.uint8], true_dab: NDArray[np.float32]
) -> dict[str, float]:
    """Compare pictures (n, h, w, 3) and densities (n, h, w) with the teacher's."""
    positive = true_dab >= THRESHOLD
    reach = round(MICROMETRES / 0.5)
    near = np.stack([ndimage.distance_transform_edt(~mask) <= reach if mask.any() else mask for mask in positive])
    claimed = dab >= THRESHOLD
    return {
        "psnr_db": peak_signal_noise_ratio(truth, found),
        "ssim": float(
            np.mean([structural_similarity(a, b, channel_axis=-1) for a, b in zip(truth, found, strict=True)])
        ),
        "psnr_db_near": peak_signal_noise_ratio(truth[near], found[near]),
        "dab_od_error": float(np.abs(dab - true_dab).mean()),
        "area_error_percent": 100 * abs(claimed.sum() / positive.sum() - 1),
        "dice": 2 * (claimed & positive).sum() / (claimed.sum() + positive.sum()),
    }


def colour_transfer(he: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give `he` the mean and standard deviation of `like` in CIELAB (Reinhard et al. 2001)."""
    source, target = rgb2lab(he), rgb2lab(like)
    axes = tuple(range(source.ndim - 1))
    moved = (source - source.mean(axes)) / source.std(axes) * target.std(axes) + target.mean(axes)
    return np.asarray(np.clip(np.rint(255 * lab2rgb(moved)), 0, 255), dtype=np.uint8)


def rows(stain: Stain, models: dict[str, Path]) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield (set, method, scores) of every model of a stain and of the baselines."""
    pairs = [
        pair
        for pair in make_pairs(CELLS[0 if stain == "CD3" else -1].recipe(1), sample_path(), mpp=0.5)
        if "phantom" not in pair.name
    ]
    like = np.concatenate([paint(pair.lesson, np.random.default_rng(9)).ihc.reshape(-1, 3)[::97] for pair in pairs])
    for where, tiles in (("held-out slide", slide_tiles(lesson(stain))), ("held-out blocks", block_tiles(pairs))):
        windows = [np.s_[y : y + BLOCK, x : x + BLOCK] for _, (y, x) in tiles]
        he = np.stack([taught.he[window] for (taught, _), window in zip(tiles, windows, strict=True)])
        painted = [
            paint(taught, np.random.default_rng(0), window) for (taught, _), window in zip(tiles, windows, strict=True)
        ]
        truth, true_dab = np.stack([one.ihc for one in painted]), np.stack([one.dab for one in painted])
        none = np.stack(
            [
                paint(_without_positives(taught), np.random.default_rng(0), window).ihc
                for (taught, _), window in zip(tiles, windows, strict=True)
            ]
        )
        moved = colour_transfer(he, like[None])
        for name, picture in (("H&E itself", he), ("colour transfer", moved), ("haematoxylin only, no DAB", none)):
            yield where, name, scores(picture, dab_density(picture), truth, true_dab)
        for key, folder in models.items():
            model = load_model(folder)
            fast = next(iter(model.system.presets.values()))
            parts = [
                sample(model, he[i : i + 4], [place for _, place in tiles[i : i + 4]], fast)
                for i in range(0, len(he), 4)
            ]
            ihc = np.concatenate([part["ihc"] for part in parts]).round().astype(np.uint8)
            dab = np.concatenate([part["dab"] for part in parts])[..., 0]
            yield where, key, scores(ihc, dab, truth, true_dab)


def _without_positives(taught: Lesson) -> Lesson:
    return Lesson(**{**vars(taught), "chance": np.zeros_like(taught.chance)})


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
            found = list(rows(stain, {key: path for key, (cell, path) in models.items() if cell.stain == stain}))
            kept.write_text(json.dumps(found, indent=1))
        for where, method, values in json.loads(kept.read_text()):
            print(f"| {stain} | {where} | {method} | {' | '.join(f'{values[c]:.3g}' for c in COLUMNS)} |")


if __name__ == "__main__":
    main()
